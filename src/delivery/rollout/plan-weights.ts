import type { RouteShare } from '../traffic/index.ts';
import { step } from './plan.ts';
import type { HttpChange, TcpChange } from './plan-routes.ts';
import type { Step, TcpShare, WeightChange } from './step.ts';

/** All of a route's traffic, in basis points. */
export const WHOLE = 10_000;

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
