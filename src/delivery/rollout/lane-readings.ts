import type { LaneCounters, LaneId, Traffic } from '../traffic/index.ts';
import type { LedgerTraffic } from './face.ts';
import { type LiveRelease, type SetRecord } from './standing.ts';

/** What one lane of a set had counted before a rollout and after it. */
export interface LaneReading {
  readonly lane: LaneId;
  readonly service: string;
  readonly release: number;
  readonly before?: Counted;
  readonly after?: Counted;
}

interface Counted {
  readonly requests: number;
  readonly connectionErrors: number;
  readonly proxyErrors: number;
  readonly responseErrors: number;
  readonly instanceAborts: number;
  readonly retries: number;
}

/** The lanes of all sets that take part: those that serve and those that will. */
export function lanesInvolved(releases: readonly LiveRelease[]): readonly LaneReading[] {
  const readings = new Map<LaneId, LaneReading>();
  for (const { release, sets } of releases) {
    for (const set of sets) for (const reading of readingsOf(set, release)) readings.set(reading.lane, reading);
  }
  return [...readings.values()];
}

function readingsOf(set: SetRecord, release: number): readonly LaneReading[] {
  return Object.values(set.lanes).map((lane) => ({
    lane,
    service: set.service,
    release: Math.min(set.origin, release),
  }));
}

/** Reads the counters; the ledger is evidence, not a condition: what cannot be read is left out. */
export async function readLanes(
  traffic: Pick<Traffic, 'counters'>,
  readings: readonly LaneReading[],
  moment: 'before' | 'after',
): Promise<readonly LaneReading[]> {
  if (readings.length === 0) return readings;
  const counters = await traffic.counters(readings.map(({ lane }) => lane)).catch(() => undefined);
  return readings.map((reading) => {
    const lane = counters?.lanes.get(reading.lane);
    return lane === undefined ? reading : { ...reading, [moment]: countedOf(lane) };
  });
}

function countedOf(lane: LaneCounters): Counted {
  const { requests, connectionErrors, proxyErrors, responseErrors, instanceAborts, retries } = lane;
  return { requests, connectionErrors, proxyErrors, responseErrors, instanceAborts, retries };
}

export function ledgerTraffic(readings: readonly LaneReading[]): readonly LedgerTraffic[] {
  return readings.map(({ lane, service, release, before, after }) => {
    const grown = (key: keyof Counted): number => growth(before?.[key], after?.[key]);
    const [connectionErrors, proxyErrors] = [grown('connectionErrors'), grown('proxyErrors')];
    // A request that found no connection is answered by the proxy: it is in both counts, and lost once.
    const lost = Math.max(connectionErrors + grown('responseErrors'), proxyErrors) + grown('instanceAborts');
    return {
      lane,
      service,
      release,
      requests: grown('requests'),
      lost,
      connectionErrors,
      proxyErrors,
      retries: grown('retries'),
    };
  });
}

/** Counters begin again at 0 when the proxy does. */
function growth(before = 0, after: number | undefined): number {
  if (after === undefined) return 0;
  return after >= before ? after - before : after;
}
