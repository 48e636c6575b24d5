import { createHash } from 'node:crypto';
import type { Cohort, Preview, RouteShare } from '../traffic.ts';

/**
 * Clients that get a lane by what they are or say, not by the weighted choice. Each rule is one entry of a map of
 * regular expressions over `<id>@<client address in hex>@<header lines>`. The id stands for the whole set of rules and
 * is made of its content: a set is written before the first route names it, and never changes.
 */
export interface Selectors {
  /** What a route's entry names. */
  readonly id: string;
  /** Regular expression → `<lane>|<why>`. The first that matches counts. */
  readonly entries: ReadonlyMap<string, string>;
}

/** Undefined for a route that everybody comes to by its share alone. */
export function selectorsOf(share: RouteShare, preview: Preview | undefined): Selectors | undefined {
  const rules = [
    ...(preview === undefined ? [] : [{ pattern: previewPattern(preview), value: `${preview.lane}|preview` }]),
    ...(share.candidate === null ? [] : cohortRules(share.cohorts ?? [], share.candidate)),
  ];
  if (rules.length === 0) return undefined;
  const id = `s${createHash('sha256').update(JSON.stringify(rules)).digest('hex').slice(0, 12)}`;
  return { id, entries: new Map(rules.map(({ pattern, value }) => [`(?s)^${id}@${pattern}`, value])) };
}

const ANY_ADDRESS = '[0-9A-F]*@';
/** The start of any line. */
const LINE = '(?:.*\\n)?';
/** A line of the configuration has its limits. */
const NETWORKS_IN_AN_ENTRY = 40;

function previewPattern({ match }: Preview): string {
  if ('host' in match) return `${ANY_ADDRESS}${LINE}(?i:host:\\x20*${literal(match.host)})(?::[0-9]+)?\\r\\n`;
  return headerPattern(match.header.name, match.header.value);
}

function cohortRules(
  cohorts: readonly Cohort[],
  candidate: string,
): readonly { readonly pattern: string; readonly value: string }[] {
  return cohorts.flatMap(cohortPatterns).map((pattern) => ({ pattern, value: `${candidate}|cohort` }));
}

function cohortPatterns(cohort: Cohort): readonly string[] {
  switch (cohort.kind) {
    case 'header':
      return [headerPattern(cohort.name, cohort.value)];
    case 'cookie':
      return [cookiePattern(cohort.name, cohort.value)];
    case 'address':
      return chunks(cohort.networks, NETWORKS_IN_AN_ENTRY).map(
        (networks) => `(?:${networks.map(networkPattern).join('|')})@`,
      );
  }
}

function headerPattern(name: string, value: string | undefined): string {
  const rest = value === undefined ? '' : `\\x20*${literal(value.trim())}\\r\\n`;
  return `${ANY_ADDRESS}${LINE}(?i:${literal(name)}):${rest}`;
}

function cookiePattern(name: string, value: string | undefined): string {
  const rest = value === undefined ? '' : `${literal(value)}\\x20*(?:;|\\r)`;
  return `${ANY_ADDRESS}${LINE}(?i:cookie):(?:[^\\n]*[;\\x20])?${literal(name)}=${rest}`;
}

/** The text itself, without a character that means something to a regular expression, a map or the runtime API. */
function literal(text: string): string {
  return [...Buffer.from(text, 'utf8')]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9_-]/.test(character) ? character : `\\x${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}

/** The addresses of a network (CIDR, or one address), as the hex digits that they begin with. */
export function networkPattern(network: string): string {
  const [address = '', length] = network.split('/');
  const hex = Buffer.from(addressBytes(address)).toString('hex').toUpperCase();
  const bits = length === undefined ? hex.length * 4 : Number(length);
  const whole = hex.slice(0, Math.floor(bits / 4));
  const partial = bits % 4 === 0 ? '' : digitClass(Number.parseInt(hex[whole.length] ?? '0', 16), bits % 4);
  const open = hex.length - Math.ceil(bits / 4);
  return `${whole}${partial}${open === 0 ? '' : `[0-9A-F]{${open}}`}`;
}

/** The hex digits that have the first `bits` bits in common with this one. */
function digitClass(digit: number, bits: number): string {
  const size = 1 << (4 - bits);
  const first = digit - (digit % size);
  const digits = Array.from({ length: size }, (_, index) => (first + index).toString(16).toUpperCase());
  return `[${digits.join('')}]`;
}

/** 4 or 16 bytes of a valid address. */
function addressBytes(address: string): readonly number[] {
  if (!address.includes(':')) return address.split('.').map(Number);
  const [head = '', tail] = address.split('::');
  const [front, back] = [groupBytes(head), groupBytes(tail ?? '')];
  return tail === undefined ? front : [...front, ...Array<number>(16 - front.length - back.length).fill(0), ...back];
}

function groupBytes(groups: string): readonly number[] {
  if (groups === '') return [];
  return groups.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number);
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function chunks<T>(items: readonly T[], size: number): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) =>
    items.slice(index * size, (index + 1) * size),
  );
}
