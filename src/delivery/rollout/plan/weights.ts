import type { RouteShare } from '../../traffic/index.ts';
import { step } from './plan.ts';
import { type HttpChange, type RouteChanges, type TcpChange } from './routes.ts';
import type { Step, TcpShare, TcpSide, WeightChange } from './step.ts';

/** All of a route's traffic, in basis points. */
const WHOLE = 10_000;

interface WeightChanges {
  readonly http: readonly WeightChange[];
  readonly tcp: readonly {
    readonly route: string;
    readonly port: number;
    readonly to: readonly TcpShare[];
    readonly from: readonly TcpShare[];
  }[];
  readonly drainMs: number;
}

/** All HTTP routes in one step: the proxy changes them at one instant. */
export function weightSteps(cause: string, { http, tcp, drainMs }: WeightChanges): readonly Step[] {
  return [
    ...(http.length === 0 ? [] : [step(cause, { kind: 'set-weights', changes: http })]),
    ...tcp.map(({ route, port, to, from }) => step(cause, { kind: 'set-tcp-weights', route, port, to, from, drainMs })),
  ];
}

/** What a route says while both sides serve: its requests are reported one by one. */
export function httpShares(
  { from, to }: HttpChange,
  cohorts: Pick<RouteShare, 'cohorts'>,
): { readonly before: RouteShare; at(weight: number): RouteShare } {
  const stable = from ?? '';
  return {
    before: { stable, candidate: null, weight: 0 },
    at: (weight) => ({ stable, candidate: to ?? null, weight, ...cohorts, observed: true }),
  };
}

export function tcpShares({ from, to }: TcpChange): {
  readonly before: readonly TcpShare[];
  at(weight: number): readonly TcpShare[];
} {
  const side = from ?? { instances: [] };
  return {
    before: [{ ...side, weight: WHOLE }],
    at: (weight) => [
      { ...side, weight: WHOLE - weight },
      { ...to, weight },
    ],
  };
}

/** The instances of both sides of one service. */
export interface Sides {
  /** How many there are. */
  readonly counts: { readonly old: number; readonly fresh: number };
  old(): TcpSide;
  fresh(): TcpSide;
}

/** Keeps the shares of routes in proportion to the instances on both sides, and remembers what was said last. */
export class Balance {
  readonly #changes: RouteChanges;
  readonly #drainMs: number;
  readonly #http: Map<string, RouteShare>;
  readonly #tcp: Map<string, readonly TcpShare[]>;

  constructor(changes: RouteChanges, drainMs: number) {
    this.#changes = changes;
    this.#drainMs = drainMs;
    this.#http = new Map(changes.http.map((change) => [change.route, httpShares(change, {}).before]));
    this.#tcp = new Map(changes.tcp.map((change) => [change.route, tcpShares(change).before]));
  }

  /** Says of those whose shares are not what they were. */
  weigh(cause: string, sidesOf: (service: string) => Sides): readonly Step[] {
    const http: WeightChange[] = [];
    for (const change of this.#changes.http) {
      const weight = weightOf(sidesOf(change.service));
      const from = this.#http.get(change.route)!;
      if (from.weight === weight) continue;
      const to = httpShares(change, {}).at(weight);
      this.#http.set(change.route, to);
      http.push({ route: change.route, to, from });
    }
    const tcp = this.#changes.tcp.flatMap(({ route, port, service }) => {
      const from = this.#tcp.get(route)!;
      const to = tcpSides(sidesOf(service));
      if (JSON.stringify(to) === JSON.stringify(from)) return [];
      this.#tcp.set(route, to);
      return [{ route, port, to, from }];
    });
    return weightSteps(cause, { http, tcp, drainMs: this.#drainMs });
  }

  /** The candidate lanes become the stable ones. TCP routes lead there already. */
  promotion(cause: string): readonly Step[] {
    const http = this.#changes.http.map(({ route, to }) => {
      const from = this.#http.get(route)!;
      return { route, to: { stable: to ?? from.stable, candidate: null, weight: 0 }, from };
    });
    return weightSteps(cause, { http, tcp: [], drainMs: this.#drainMs });
  }
}

/** The new side's part of the instances, in basis points; a side that has any gets something. */
function weightOf({ counts: { old, fresh } }: Sides): number {
  if (fresh === 0) return 0;
  return old === 0 ? WHOLE : Math.min(WHOLE - 1, Math.max(1, Math.round((WHOLE * fresh) / (old + fresh))));
}

function tcpSides(sides: Sides): readonly TcpShare[] {
  const weight = weightOf(sides);
  const both = [
    { ...sides.old(), weight: WHOLE - weight },
    { ...sides.fresh(), weight },
  ];
  return both.filter(({ instances }) => instances.length > 0);
}
