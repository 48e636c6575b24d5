import type { LaneCounters, LaneId, TrafficCounters } from '../traffic.ts';
import { numberIn, type StatRow } from './replies.ts';

/**
 * Puts readings into words. `rows` must have been read before `appErrors`: a response is counted in the table when it
 * begins and in the statistics when it ends, so that what is left over was made by the proxy, never too much.
 */
export function countersOf(
  rows: readonly StatRow[],
  appErrors: ReadonlyMap<LaneId, number>,
  lanes: readonly LaneId[],
): Omit<TrafficCounters, 'samples'> {
  const backends = new Map(rows.filter((row) => row['svname'] === 'BACKEND').map((row) => [row['pxname'], row]));
  const frontend = rows.find((row) => row['svname'] === 'FRONTEND' && row['pxname'] === 'http');
  return {
    lanes: new Map(lanes.map((lane) => [lane, laneCountersOf(backends.get(lane), appErrors.get(lane) ?? 0)])),
    frontend: {
      connections: numberIn(frontend, 'conn_tot'),
      sessions: numberIn(frontend, 'scur'),
      requests: numberIn(frontend, 'req_tot'),
      requestErrors: numberIn(frontend, 'ereq'),
      unrouted: numberIn(backends.get('unrouted'), 'req_tot'),
      bytesIn: numberIn(frontend, 'bin'),
      bytesOut: numberIn(frontend, 'bout'),
    },
  };
}

function laneCountersOf(row: StatRow | undefined, appErrors: number): LaneCounters {
  const all5xx = numberIn(row, 'hrsp_5xx');
  return {
    requests: numberIn(row, 'req_tot'),
    responses: {
      '1xx': numberIn(row, 'hrsp_1xx'),
      '2xx': numberIn(row, 'hrsp_2xx'),
      '3xx': numberIn(row, 'hrsp_3xx'),
      '4xx': numberIn(row, 'hrsp_4xx'),
      '5xx': all5xx,
      other: numberIn(row, 'hrsp_other'),
    },
    appErrors: Math.min(appErrors, all5xx),
    proxyErrors: Math.max(0, all5xx - appErrors),
    connectionErrors: numberIn(row, 'econ'),
    responseErrors: numberIn(row, 'eresp'),
    retries: numberIn(row, 'wretr'),
    redispatches: numberIn(row, 'wredis'),
    clientAborts: numberIn(row, 'cli_abrt'),
    instanceAborts: numberIn(row, 'srv_abrt'),
    queued: numberIn(row, 'qcur'),
    sessions: numberIn(row, 'scur'),
    responseMs: numberIn(row, 'rtime'),
    totalMs: numberIn(row, 'ttime'),
  };
}
