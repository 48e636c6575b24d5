import type { LaneId, RequestSample, Traffic } from '../../traffic/index.ts';
import type { EvidenceStore } from './evidence-store.ts';
import { addSamples, NO_REQUESTS } from './samples-tally.ts';
import type { Collector, LaneRole, LaneSamples, RolloutKey } from './samples.ts';

/** One rollout that is watched. */
interface Watched {
  readonly key: RolloutKey;
  readonly lanes: Map<LaneId, LaneSamples>;
  readonly rates: Map<LaneId, RecentRate>;
  isDirty: boolean;
}

export function createCollector(o: {
  readonly traffic: Pick<Traffic, 'onRequests'>;
  readonly store: EvidenceStore;
}): Collector {
  const watched = new Map<string, Watched>();
  const listeners = new Map<string, Set<(batch: readonly RequestSample[]) => void>>();
  const save = (each: Watched): void => {
    if (each.isDirty) o.store.putLanes(each.key, [...each.lanes.values()]);
    each.isDirty = false;
  };
  const close = (project: string): void => {
    const known = watched.get(project);
    if (known !== undefined) save(known);
    watched.delete(project);
  };
  const unsubscribe = o.traffic.onRequests((batch) => {
    for (const [project, own] of Map.groupBy(batch, ({ route }) => projectOf(route))) {
      const known = watched.get(project);
      if (known !== undefined) add(known, own);
      for (const listener of listeners.get(project) ?? []) listener(own);
    }
  });
  return {
    begin: (key, roles) => {
      if (isOf(watched.get(key.project), key)) return;
      close(key.project);
      watched.set(key.project, begun(key, roles, o.store.lanes(key)));
    },
    sides: (key) => {
      const known = watched.get(key.project);
      return isOf(known, key) ? [...known.lanes.values()] : o.store.lanes(key);
    },
    perSecond: (key, lane) => {
      const known = watched.get(key.project);
      return isOf(known, key) ? (known.rates.get(lane)?.perSecond(performance.now()) ?? 0) : 0;
    },
    onSamples: (project, listener) => {
      const known = listeners.get(project) ?? new Set();
      listeners.set(project, known.add(listener));
      return () => void known.delete(listener);
    },
    flush: () => {
      for (const each of watched.values()) save(each);
    },
    end: (key) => {
      if (isOf(watched.get(key.project), key)) close(key.project);
    },
    close: () => {
      unsubscribe();
      for (const project of watched.keys()) close(project);
    },
  };
}

/** Routes are `<project>/<service>/<port>`. */
function projectOf(route: string): string {
  return route.slice(0, route.indexOf('/'));
}

function isOf(known: Watched | undefined, key: RolloutKey): known is Watched {
  return known?.key.rollout === key.rollout;
}

function begun(key: RolloutKey, roles: readonly LaneRole[], before: readonly LaneSamples[]): Watched {
  const fresh = roles.filter(({ lane }) => !before.some((each) => each.lane === lane));
  const lanes = [...before, ...fresh.map((role) => ({ ...role, ...NO_REQUESTS }))];
  return {
    key,
    lanes: new Map(lanes.map((each) => [each.lane, each])),
    rates: new Map(lanes.map(({ lane }) => [lane, new RecentRate()])),
    isDirty: fresh.length > 0,
  };
}

function add(known: Watched, batch: readonly RequestSample[]): void {
  for (const [lane, samples] of Map.groupBy(batch, (sample) => sample.lane)) {
    const before = known.lanes.get(lane);
    const asked = samples.filter(({ chosenBy }) => chosenBy !== 'probe');
    if (before === undefined || asked.length === 0) continue;
    known.lanes.set(lane, { ...before, ...addSamples(before, asked) });
    known.rates.get(lane)?.add(asked.length, performance.now());
    known.isDirty = true;
  }
}

/** Requests per second over the last seconds, in buckets of one second each. */
class RecentRate {
  readonly #counts = Array.from({ length: RATE_SECONDS + 1 }, () => 0);
  #second = 0;
  #first: number | undefined;

  add(count: number, nowMs: number): void {
    this.#moveTo(nowMs);
    this.#first ??= nowMs;
    this.#counts[this.#second % this.#counts.length]! += count;
  }

  perSecond(nowMs: number): number {
    this.#moveTo(nowMs);
    if (this.#first === undefined) return 0;
    const sum = this.#counts.reduce((total, count) => total + count, 0);
    const overMs = Math.min(nowMs - this.#first, RATE_SECONDS * 1_000 + (nowMs % 1_000));
    return (sum * 1_000) / Math.max(1_000, overMs);
  }

  #moveTo(nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    const from = Math.max(this.#second + 1, second - RATE_SECONDS);
    for (let each = from; each <= second; each++) this.#counts[each % this.#counts.length] = 0;
    this.#second = second;
  }
}

const RATE_SECONDS = 5;
