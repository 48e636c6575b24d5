import type { LossKind, RequestSample } from '../traffic.ts';
import { FLAGS } from './shares.ts';

/** The ring in the proxy's memory that logged requests wait in until somebody reads them. */
export const LOG_RING = 'requests';
/** Longest line, and bytes of the ring: about ten thousand requests. The newest are dropped when it is full. */
export const LOG_LINE_BYTES = 4_096;
export const LOG_RING_BYTES = 2 * 1024 * 1024;

/**
 * One logged request, fields between tabs (configuration manual, 8.2.6 "Custom log format"). Free text of clients
 * stands last and is escaped as in JSON. Missing values are `-`. The proxy's own timers have milliseconds only; times of ours,
 * in microseconds, are those of its event loop.
 */
export const LOG_FORMAT = [
  '%[date(0,us)]',
  '%[var(txn.began)]',
  '%[var(txn.answered)]',
  '%b',
  '%s',
  '%ts',
  '%ST',
  '%U',
  '%B',
  '%[var(txn.flags)]',
  '%[var(txn.by)]',
  '%[var(txn.route)]',
  '%[var(txn.method)]',
  '%[var(txn.bucket)]',
  '%[var(txn.is_new)]',
  '%ci',
  '%[var(txn.protocol)]',
  '%[var(txn.id)]',
  '%[var(txn.log_host)]',
  '%[var(txn.log_path)]',
  '%[var(txn.agent)]',
  '%[var(txn.referer)]',
].join('\\t');

/** Where the fields stand that are not at the beginning. */
const FIELD = {
  bytesIn: 7,
  bytesOut: 8,
  flags: 9,
  by: 10,
  route: 11,
  method: 12,
  bucket: 13,
  isNew: 14,
  client: 15,
  protocol: 16,
  id: 17,
  host: 18,
  path: 19,
  userAgent: 20,
  referer: 21,
} as const;

/** What a line of the access log tells besides what a sample does. */
export interface AccessDetails {
  /** As the proxy names its server; as we do once it has been translated. */
  readonly instance?: string;
  readonly client: string;
  readonly protocol: string;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly id?: string;
  readonly host?: string;
  readonly path?: string;
  readonly userAgent?: string;
  readonly referer?: string;
}

export interface LoggedRequest {
  readonly sample: RequestSample;
  readonly isObserved: boolean;
  /** Present when the route has an access log. */
  readonly access?: AccessDetails;
}

/** Undefined for what is no request of a route that is observed or logged. */
export function parseLogLine(line: string): LoggedRequest | undefined {
  const fields = line.split('\t');
  if (fields.length <= FIELD.id) return undefined;
  const flags = fields[FIELD.flags] ?? '-';
  const sample = sampleOf(fields);
  const hasReachedLane = sample.lane.startsWith('lane-');
  const isObserved = hasReachedLane && flags.includes(FLAGS.observed);
  if (!flags.includes(FLAGS.accessLog)) return isObserved ? { sample, isObserved } : undefined;
  return { sample, isObserved, access: accessOf(fields) };
}

/** The line in which the proxy says how many it had to drop; undefined for any other. */
export function droppedIn(line: string): number | undefined {
  const count = /^(\d+) events? (?:were |was )?(?:dropped|lost)/.exec(line)?.[1];
  return count === undefined ? undefined : Number(count);
}

function sampleOf(fields: readonly string[]): RequestSample {
  const [ended, began, answered, lane = '', server = '', state = '--', status] = fields;
  const code = Number(status);
  const loss = lossOf({ state, server, status: code });
  const method = present(fields[FIELD.method]);
  const bucket = present(fields[FIELD.bucket]);
  return {
    atMs: Math.floor(Number(ended) / 1_000),
    route: fields[FIELD.route] ?? '',
    lane,
    chosenBy: reasonOf(fields[FIELD.by]),
    status: code,
    responseMs: millisecondsBetween(began, answered),
    totalMs: millisecondsBetween(began, ended),
    ...(loss === undefined ? {} : { loss }),
    ...(isDrained(state) ? { isDrained: true } : {}),
    appError: code >= 500 && isByApplication(state),
    ...(method === undefined ? {} : { method }),
    ...(bucket === undefined ? {} : { client: Number(bucket) }),
    ...(fields[FIELD.isNew] === '1' ? { isNewClient: true } : {}),
  };
}

/** -1 when one of them never was. */
function millisecondsBetween(from: string | undefined, to: string | undefined): number {
  const microseconds = Number(to) - Number(from);
  return Number.isNaN(microseconds) ? -1 : microseconds / 1_000;
}

const REASONS = ['cohort', 'preview', 'client', 'probe'] as const;

function reasonOf(text: string | undefined): RequestSample['chosenBy'] {
  return REASONS.find((reason) => reason === text) ?? 'weight';
}

/** The head of the answer had passed: what ends a session later does not change who made its status. */
function isByApplication(state: string): boolean {
  return state.startsWith('--') || state[1] === 'D' || state[1] === 'L';
}

/** Sessions are killed within their answer only at the declared drain deadline (`closeSessions`). */
function isDrained(state: string): boolean {
  return state[0] === 'K' && 'DL'.includes(state[1] ?? '-');
}

/**
 * What was lost, by the first two characters of the termination state (configuration manual, 8.5): who ended it, and
 * in which phase. What a client ends is no loss, nor what the proxy answers by a rule,
 * nor what has had all of its declared time.
 */
export function lossOf(end: {
  readonly state: string;
  readonly server: string;
  readonly status: number;
}): LossKind | undefined {
  const [who = '-', phase = '-'] = end.state;
  if ('-CcL'.includes(who)) return undefined;
  if (who === 'P' && 'RT'.includes(phase)) return undefined;
  if (isDrained(end.state)) return undefined;
  if (end.server === '<NOSRV>' || phase === 'Q') return 'proxy-error';
  if (phase === 'C') return 'sSD'.includes(who) ? 'refused' : 'proxy-error';
  if (phase === 'H') return 'SDK'.includes(who) ? 'reset' : 'proxy-error';
  // A tunnel that nobody used for the longest time has simply ended.
  if (who === 's' && end.status === 101) return undefined;
  return 'DL'.includes(phase) ? 'truncated' : 'proxy-error';
}

function accessOf(fields: readonly string[]): AccessDetails {
  const [instance, id] = [present(fields[4]), present(fields[FIELD.id])];
  const { host, path, userAgent, referer } = unescapedFields(fields);
  return {
    ...(instance === undefined || instance === '<NOSRV>' ? {} : { instance }),
    client: fields[FIELD.client] ?? '',
    protocol: `HTTP/${fields[FIELD.protocol] ?? ''}`,
    bytesIn: Number(fields[FIELD.bytesIn]),
    bytesOut: Number(fields[FIELD.bytesOut]),
    ...(id === undefined ? {} : { id }),
    ...(host === undefined ? {} : { host }),
    ...(path === undefined ? {} : { path }),
    ...(userAgent === undefined ? {} : { userAgent }),
    ...(referer === undefined ? {} : { referer }),
  };
}

function unescapedFields(fields: readonly string[]) {
  return {
    host: unescaped(fields[FIELD.host]),
    path: unescaped(fields[FIELD.path]),
    userAgent: unescaped(fields[FIELD.userAgent]),
    referer: unescaped(fields[FIELD.referer]),
  };
}

function present(field: string | undefined): string | undefined {
  return field === undefined || field === '-' || field === '' ? undefined : field;
}

/** The line may have been cut at its longest: then its last escape sequence is not whole. */
function unescaped(field: string | undefined): string | undefined {
  const text = present(field);
  if (text === undefined || !text.includes('\\')) return text;
  try {
    return JSON.parse(`"${text}"`) as string;
  } catch {
    return text;
  }
}
