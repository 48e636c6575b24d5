/**
 * The runtime API answers in words. This is the only place that knows them (HAProxy 2.4 to 3.2, "Unix socket
 * commands" in its management guide).
 */
export type Verdict = 'done' | 'exists' | 'absent' | 'busy' | 'refused';

const DONE = [
  /^New server registered\.?$/,
  /^Server deleted\.?$/,
  /^New version created: \d+$/,
  /^health (?:was )?.*enabled/i,
  /^New empty certificate store/,
  /^Transaction (?:created|updated|aborted) for certificate/,
  /^Committing /,
  /^Success!$/,
  /^Inserting certificate/,
  /^Entry .* deleted in crtlist/,
  /^Certificate .* deleted!$/,
  /^\[NOTICE\]/i,
  /\bchanged from\b/i,
  /no need to change|nothing changed/i,
];
const EXISTS = [/already exists/i];
const ABSENT = [
  /no such server/i,
  /no such backend/i,
  /can't find (?:backend|server)/i,
  /entry not found/i,
  /certificate '.*' doesn't exist/i,
  /no ongoing transaction/i,
  /key not found/i,
  /(?:backend|server) not found/i,
];
const BUSY = [/still has (?:connections|streams)/i, /only servers in maintenance/i, /connections? attached/i];

export interface Reply {
  readonly verdict: Verdict;
  /** The line that says so; empty when everything went well in silence. */
  readonly line: string;
}

/** What a line of commands came to: the first word that is not "done". Only for commands that change something. */
export function judge(text: string): Reply {
  const replies = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line): Reply => ({ verdict: verdictOf(line), line }));
  return replies.find((reply) => reply.verdict !== 'done') ?? { verdict: 'done', line: '' };
}

function verdictOf(line: string): Verdict {
  const says = (patterns: readonly RegExp[]): boolean => patterns.some((pattern) => pattern.test(line));
  if (says(DONE)) return 'done';
  if (says(EXISTS)) return 'exists';
  if (says(ABSENT)) return 'absent';
  if (says(BUSY)) return 'busy';
  return 'refused';
}

/** One row of `show stat`, by the names of its header. */
export type StatRow = Readonly<Record<string, string>>;

/** Reads one or several `show stat` tables that stand in one answer. Values hold no quotes or commas here. */
export function parseStat(text: string): readonly StatRow[] {
  const rows: StatRow[] = [];
  let columns: readonly string[] = [];
  for (const line of text.split('\n')) {
    if (line.startsWith('# pxname')) columns = line.slice(2).split(',');
    else if (line.includes(',')) rows.push(rowOf(columns, line.split(',')));
  }
  return rows;
}

function rowOf(columns: readonly string[], values: readonly string[]): StatRow {
  return Object.fromEntries(
    columns.map((column, index) => [column, values[index] ?? '']).filter(([name]) => name !== ''),
  );
}

/** A number of a row; 0 where the field is empty or this version does not have it. */
export function numberIn(row: StatRow | undefined, column: string): number {
  return Number(row?.[column] ?? 0) || 0;
}

/** Reads `show info`. */
export function parseInfo(text: string): ReadonlyMap<string, string> {
  const pairs = text.split('\n').flatMap((line): [string, string][] => {
    const colon = line.indexOf(':');
    return colon < 0 ? [] : [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()]];
  });
  return new Map(pairs);
}

export interface RuntimeServer {
  readonly lane: string;
  /** Its name in the proxy. */
  readonly server: string;
  readonly address: string;
  readonly port: number;
  readonly isInMaintenance: boolean;
  readonly isUp: boolean;
}

/** Reads `show servers state` (format 1): addresses of IPv6 servers stand without brackets. */
export function parseServersState(text: string): readonly RuntimeServer[] {
  const lines = text.split('\n').map((line) => line.trim());
  const header = lines.find((line) => line.startsWith('# be_id'));
  if (header === undefined) return [];
  const columns = header.slice(2).split(' ');
  const at = SERVER_COLUMNS.map((name) => columns.indexOf(name));
  return lines
    .map((line) => line.split(' '))
    .filter((values) => values.length >= columns.length && values[0] !== '#')
    .map((values) => serverOf(at.map((index) => values[index] ?? '')));
}

/** SRV_ADMF_FMAINT, _IMAINT, _RMAINT, _HMAINT; 0x04 tells only that the configuration said `disabled`. */
const ADMINISTRATIVE_MAINTENANCE = 0x01 | 0x02 | 0x20 | 0x40;
const STOPPED = 0;

/** There are more than a thousand servers: only what is needed of each is looked at. */
const SERVER_COLUMNS = ['be_name', 'srv_name', 'srv_addr', 'srv_port', 'srv_admin_state', 'srv_op_state'] as const;

function serverOf([
  lane = '',
  server = '',
  address = '',
  port,
  administrative,
  operational,
]: readonly string[]): RuntimeServer {
  return {
    lane,
    server,
    address,
    port: Number(port),
    isInMaintenance: (Number(administrative) & ADMINISTRATIVE_MAINTENANCE) !== 0,
    isUp: Number(operational) !== STOPPED,
  };
}

/** Entries of a map by key; `reference` is what the runtime API calls one. */
export type MapEntries = ReadonlyMap<string, { readonly reference: string; readonly value: string }>;

/** Reads `show map <file>`: an address, the key, the value. */
export function parseMap(text: string): MapEntries {
  return new Map(
    text.split('\n').flatMap((line): [string, { reference: string; value: string }][] => {
      const [reference = '', key, ...value] = line.trim().split(' ');
      return reference.startsWith('0x') && key !== undefined ? [[key, { reference, value: value.join(' ') }]] : [];
    }),
  );
}

/** Reads one general-purpose counter of `show table`, by key. */
export function parseTable(text: string, counter: string): ReadonlyMap<string, number> {
  const entries = text.split('\n').flatMap((line): [string, number][] => {
    const key = /\bkey=(\S+)/.exec(line)?.[1];
    const value = new RegExp(`\\b${counter}=(\\d+)`).exec(line)?.[1];
    return key === undefined || value === undefined ? [] : [[key, Number(value)]];
  });
  return new Map(entries);
}

/** The number in `New version created: 7`. */
export function parseNewVersion(text: string): number | undefined {
  const number = /New version created: (\d+)/.exec(text)?.[1];
  return number === undefined ? undefined : Number(number);
}
