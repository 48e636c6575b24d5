import { posix } from 'node:path';
import { UserError } from './errors.ts';

/** Which files of a build context are left out (Docker's documentation: .dockerignore files). Pure. */
export interface IgnoreRules {
  /** What they were read from. */
  readonly text: string;
  readonly isEmpty: boolean;
  /** Whether a rule begins with `!`. */
  readonly hasExceptions: boolean;
  /** @param path relative to the context's root, without a slash at either end */
  ignores(path: string): boolean;
}

interface Rule {
  readonly isException: boolean;
  readonly expression: RegExp;
}

/** How a path stands to the rules: whether it is ignored, and which rules hold for all that is below it. */
interface Standing {
  readonly isIgnored: boolean;
  readonly holding: readonly boolean[];
}

/**
 * The last rule that matches a path, or a folder that it is in, decides.
 * @param file the name that errors give it
 * @throws UserError `dockerignore-invalid` with the line
 */
export function parseIgnore(text: string, file = '.dockerignore'): IgnoreRules {
  const rules = text
    .replace(/^\uFEFF/, '')
    .split('\n')
    .flatMap((line, index) => ruleOf(line, { file, line: index + 1 }) ?? []);
  const folders = new Map<string, Standing>();
  const nothing: Standing = { isIgnored: false, holding: [] };

  function folderOf(path: string): Standing {
    const folder = posix.dirname(path);
    if (folder === '.') return nothing;
    const known = folders.get(folder) ?? standingOf(rules, folder, folderOf(folder));
    folders.set(folder, known);
    return known;
  }

  return {
    text,
    isEmpty: rules.length === 0,
    hasExceptions: rules.some(({ isException }) => isException),
    ignores: (path) => rules.length > 0 && path !== '' && standingOf(rules, path, folderOf(path)).isIgnored,
  };
}

/** A rule that could not change the answer is not looked at: so it does not hold for what is below either. */
function standingOf(rules: readonly Rule[], path: string, folder: Standing): Standing {
  let isIgnored = false;
  const holding = rules.map(({ isException, expression }, index) => {
    const holds = folder.holding[index] === true || (isException === isIgnored && expression.test(path));
    if (holds) isIgnored = !isException;
    return holds;
  });
  return { isIgnored, holding };
}

interface Place {
  readonly file: string;
  readonly line: number;
}

function ruleOf(line: string, place: Place): Rule | undefined {
  const text = line.trim();
  if (line.startsWith('#') || text === '') return undefined;
  const isException = text.startsWith('!');
  const pattern = cleaned(isException ? text.slice(1).trim() : text);
  if (pattern === '') throw invalid(place, `"${text}" names no file`);
  const expression = expressionOf(pattern);
  if (expression === undefined) throw invalid(place, `"${text}" is no valid pattern`);
  return { isException, expression };
}

function invalid({ file, line }: Place, what: string): UserError {
  return new UserError({
    code: 'dockerignore-invalid',
    kind: 'invalid',
    message: `${file}:${line}: ${what}`,
    fix: 'Close brackets, and write a backslash before a character that is meant as it is.',
  });
}

function cleaned(pattern: string): string {
  if (pattern === '') return '';
  const path = posix.normalize(pattern).replace(/(?<=.)\/$/, '');
  return path.length > 1 && path.startsWith('/') ? path.slice(1) : path;
}

/** `*` and `?` stop at slashes, `**` is any number of folders, `[…]` is a set; undefined where it is malformed. */
function expressionOf(pattern: string): RegExp | undefined {
  let source = '';
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    if (pattern.startsWith('**', at)) {
      at += pattern[at + 2] === '/' ? 2 : 1;
      source += at === pattern.length - 1 ? '.*' : '(?:.*/)?';
    } else if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (character === '[') {
      const set = setAt(pattern, at);
      if (set === undefined) return undefined;
      source += set.source;
      at = set.end;
    } else if (character === '\\') {
      const next = pattern[++at];
      if (next === undefined) return undefined;
      source += literal(next);
    } else source += literal(character);
  }
  try {
    return new RegExp(`^${source}$`, 's');
  } catch {
    return undefined;
  }
}

/** `[a-z]`, `[^a]`, `[]a]`: a bracket that is first is a character of the set. */
function setAt(pattern: string, at: number): { readonly source: string; readonly end: number } | undefined {
  const [all, not = '', members = ''] = /^\[(\^?)(\]?(?:\\.|[^\]\\])*)\]/s.exec(pattern.slice(at)) ?? [];
  if (all === undefined || members === '') return undefined;
  const escaped = members.replaceAll(/\\(.)|[[\]^]/gs, (whole, after: string | undefined) => `\\${after ?? whole}`);
  return { source: `[${not}${escaped}]`, end: at + all.length - 1 };
}

function literal(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}
