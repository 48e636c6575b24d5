import { isNode, LineCounter, parseDocument, type Document } from 'yaml';
import type { z } from 'zod';
import { UserError } from '../../lib/errors.ts';
import { nearestWord } from '../../lib/nearest.ts';
import { keysAt, keysOf, meaningOf } from './keys.ts';
import { configurationSchema, type Configuration } from './schema.ts';

/** A configuration file that was read: it holds no mistake. */
export interface ParsedConfiguration {
  readonly configuration: Configuration;
  /** Line of each key that the file sets, from 1, by dotted name. */
  readonly lines: ReadonlyMap<string, number>;
  /** The file with its comments. */
  readonly document: Document;
}

/**
 * Reads the text of a configuration file; an empty one sets nothing.
 * @throws UserError `config-invalid` with file, line and column
 */
export function parseConfiguration(text: string, path: string): ParsedConfiguration {
  const counter = new LineCounter();
  const document = parseDocument(text, { lineCounter: counter });
  const [broken] = document.errors;
  if (broken !== undefined) throw invalid(path, placeOf(counter, broken.pos[0]), plainReason(broken.message), SYNTAX);
  const parsed = configurationSchema.safeParse(document.toJS() ?? {});
  const offsetOf = (at: readonly PropertyKey[]): number => keyOffset(document, at);
  const [issue] = parsed.error?.issues ?? [];
  if (issue !== undefined) throw problemOf(issue, { path, placeFor: (at) => placeOf(counter, offsetOf(at)) });
  const set = keysOf().filter((key) => document.contents !== null && document.hasIn(key.split('.')));
  return {
    configuration: parsed.data!,
    lines: new Map(set.map((key) => [key, counter.linePos(offsetOf(key.split('.'))).line])),
    document,
  };
}

const SYNTAX = 'Write one `key: value` a line; docs/cli.md lists the keys.';

interface Place {
  readonly line: number;
  readonly column: number;
}

function placeOf(counter: LineCounter, offset: number): Place {
  const { line, col } = counter.linePos(offset);
  return { line: Math.max(1, line), column: Math.max(1, col) };
}

/** Where a key stands; where it is not there, its parent. */
function keyOffset(document: Document, at: readonly PropertyKey[]): number {
  const parent = at.length <= 1 ? document.contents : document.getIn(at.slice(0, -1).map(String), true);
  const items = (parent as { readonly items?: readonly { readonly key: unknown }[] } | null)?.items ?? [];
  const key = items.find((item) => isNode(item.key) && String(item.key) === String(at.at(-1)))?.key;
  if (isNode(key)) return key.range?.[0] ?? 0;
  return isNode(parent) ? (parent.range?.[0] ?? 0) : 0;
}

function problemOf(
  issue: z.core.$ZodIssue,
  o: { readonly path: string; placeFor(at: readonly PropertyKey[]): Place },
): UserError {
  if (issue.code !== 'unrecognized_keys') {
    const name = issue.path.join('.');
    const reason = name === '' ? 'it is no list of `key: value`' : `${name}: ${issue.message}`;
    return invalid(o.path, o.placeFor(issue.path), reason, meaningOf(issue.path) ?? SYNTAX);
  }
  const [unknown = ''] = issue.keys;
  const at = [...issue.path, unknown];
  return invalid(o.path, o.placeFor(at), `unknown key "${at.join('.')}"`, knownKeys(unknown, keysAt(issue.path)));
}

/** @param known the keys that would have been right there */
export function knownKeys(unknown: string, known: readonly string[]): string {
  const near = nearestWord(unknown, known);
  return near === undefined ? `The keys are: ${known.join(', ')}.` : `Did you mean "${near}"?`;
}

function invalid(path: string, { line, column }: Place, reason: string, fix: string): UserError {
  return new UserError({
    code: 'config-invalid',
    kind: 'invalid',
    message: `${path}:${line}:${column}: ${reason}`,
    fix,
    details: { file: path, line, column },
  });
}

/** The parser's message without its excerpt. */
function plainReason(message: string): string {
  return (message.split('\n')[0] ?? '').replace(/ at line \d+, column \d+:?$/, '');
}
