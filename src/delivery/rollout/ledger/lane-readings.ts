import type { LaneCounters, LaneId, Traffic } from '../../traffic/index.ts';
import type { LedgerTraffic } from '../ledger-view.ts';
import type { Counted, Journal, LaneReading, RolloutRecord } from '../execute/journal.ts';
import type { LiveRelease, SetRecord } from '../plan/standing.ts';

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

/** What lanes have counted until now. */
export type LanesCounted = ReadonlyMap<LaneId, Counted>;

/** Reads the counters; the ledger is evidence, not a condition: what cannot be read is left out. */
export async function countLanes(traffic: Pick<Traffic, 'counters'>, lanes: readonly LaneId[]): Promise<LanesCounted> {
  if (lanes.length === 0) return new Map();
  const counters = await traffic.counters([...new Set(lanes)]).catch(() => undefined);
  return new Map([...(counters?.lanes ?? [])].map(([lane, each]) => [lane, countedOf(each)]));
}

/** Writes what was counted into the readings; a lane that was not read stays as it is. */
export function readingsWith(
  readings: readonly LaneReading[],
  counted: LanesCounted,
  moment: 'before' | 'after',
): readonly LaneReading[] {
  return readings.map((reading) => {
    const lane = counted.get(reading.lane);
    return lane === undefined ? reading : { ...reading, [moment]: lane };
  });
}

/** Brings the record of a rollout up to date with what its lanes have counted until now. */
export async function readAfter(
  o: { readonly traffic: Pick<Traffic, 'counters'>; readonly journal: Pick<Journal, 'read'> },
  record: RolloutRecord,
): Promise<RolloutRecord> {
  if (record.readings.length === 0) return record;
  const counted = await countLanes(o.traffic, record.readings.map(lanesRead));
  const readings = readingsWith(record.readings, counted, 'after');
  o.journal.read(record, readings);
  return { ...record, readings };
}

export function lanesRead({ lane }: LaneReading): LaneId {
  return lane;
}

function countedOf(lane: LaneCounters): Counted {
  const { requests, connectionErrors, proxyErrors, responseErrors, instanceAborts, retries } = lane;
  return { requests, connectionErrors, proxyErrors, responseErrors, instanceAborts, retries };
}

export function ledgerTraffic(readings: readonly LaneReading[]): readonly LedgerTraffic[] {
  return readings.map(({ lane, service, release, before, after }) => {
    const grown = (key: keyof Counted): number => growth(before?.[key], after?.[key]);
    const [connectionErrors, proxyErrors] = [grown('connectionErrors'), grown('proxyErrors')];
    // A request that found no connection is answered by the proxy: it is in both counts, and lost once. Answers that an
    // instance cut are among the response errors (HAProxy management guide, 9.1, `eresp`).
    const lost = Math.max(connectionErrors + grown('responseErrors'), proxyErrors);
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
