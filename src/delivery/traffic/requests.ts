import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { AccessLog } from './access-log.ts';
import { followLog, type LogFollower } from './haproxy/follow-log.ts';
import { type AccessDetails, droppedIn, parseLogLine } from './haproxy/log-line.ts';
import type { ServerKey } from './slots.ts';
import type { RequestSample, TrafficCounters } from './traffic.ts';

export type RequestsListener = (batch: readonly RequestSample[]) => void;

/** Hands the proxy's log on: samples to those who listen, lines to the access log. */
export interface Requests {
  /** Starts reading; a second time changes nothing. */
  follow(): void;
  subscribe(listener: RequestsListener): () => void;
  counts(): TrafficCounters['samples'];
  /** Stops reading, and writes what is left. */
  stop(): Promise<void>;
}

/** Listeners are called this often, so that they work on batches. */
const BATCH_MS = 50;
/** Most that wait for the next batch: a second of 20,000 requests. */
const MOST_WAITING = 20_000;

export function createRequests(o: {
  readonly socketPath: string;
  readonly accessLog: AccessLog;
  /** Whose server of the proxy it is. */
  readonly instanceOn: (at: ServerKey) => string;
  readonly log: Log;
}): Requests {
  const listeners = new Set<RequestsListener>();
  const counts = { delivered: 0, dropped: 0 };
  let waiting: RequestSample[] = [];
  let follower: LogFollower | undefined;
  let timer: NodeJS.Timeout | undefined;

  const deliver = (): void => {
    timer = undefined;
    const batch = waiting;
    waiting = [];
    counts.delivered += batch.length;
    for (const listener of listeners) {
      try {
        listener(batch);
      } catch (error) {
        o.log.error({ error: messageOf(error) }, 'a listener for requests failed');
      }
    }
  };
  const keep = (sample: RequestSample): void => {
    if (listeners.size === 0) return;
    if (waiting.length >= MOST_WAITING) counts.dropped += 1;
    else waiting.push(sample);
    timer ??= setTimeout(deliver, BATCH_MS).unref();
  };
  const detailsOf = ({ lane }: RequestSample, { instance: server, ...rest }: AccessDetails): AccessDetails =>
    server === undefined ? rest : { ...rest, instance: o.instanceOn({ lane, server }) };
  const onLine = (line: string): void => {
    const request = parseLogLine(line);
    if (request === undefined) {
      counts.dropped += droppedIn(line) ?? 0;
      return;
    }
    if (request.isObserved) keep(request.sample);
    if (request.access !== undefined) o.accessLog.write(request.sample, detailsOf(request.sample, request.access));
  };
  return {
    follow() {
      follower ??= followLog(o.socketPath, (lines) => lines.forEach(onLine));
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    counts: () => ({ ...counts }),
    async stop() {
      follower?.stop();
      follower = undefined;
      clearTimeout(timer);
      timer = undefined;
      if (waiting.length > 0) deliver();
      await o.accessLog.flush();
    },
  };
}
