/** Whether a source has wildcards: `*`, `?`, `[…]`, escaped by a backslash (Go's filepath.Match). */
export function hasWildcard(pattern: string): boolean {
  return /(?<!\\)[*?[]/.test(pattern);
}

/** The folders before the first part with a wildcard, and the rest. */
export function splitPattern(pattern: string): { readonly prefix: string; readonly rest: string } {
  const parts = pattern.split('/');
  const first = parts.findIndex(hasWildcard);
  if (first < 0) return { prefix: unescapePattern(pattern), rest: '' };
  return { prefix: parts.slice(0, first).map(unescapePattern).join('/'), rest: parts.slice(first).join('/') };
}

/**
 * Go's filepath.Match as a regular expression: no wildcard crosses a slash, but `**` does where `crosses` (Dockerfile
 * reference: COPY --parents). Undefined for a malformed pattern.
 */
export function patternOf(pattern: string, crosses = false): RegExp | undefined {
  let source = '';
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    const stars = crosses ? /^\*\*\/*/.exec(pattern.slice(at))?.[0] : undefined;
    if (stars !== undefined) {
      source += stars.endsWith('/') ? '(?:.*/)?' : '.*';
      at += stars.length - 1;
    } else if (character === '*') source += '[^/]*';
    else if (character === '?') source += '[^/]';
    else if (character === '\\') source += literal(pattern[++at] ?? '\\');
    else if (character === '[') {
      const set = /^\[(\^?)((?:\\.|[^\]\\])+)\]/.exec(pattern.slice(at));
      if (set === null) return undefined;
      source += `(?!/)[${set[1]}${set[2]!.replaceAll(/[[^]/g, String.raw`\$&`)}]`;
      at += set[0].length - 1;
    } else source += literal(character);
  }
  try {
    return new RegExp(`^${source}$`, 's');
  } catch {
    return undefined;
  }
}

function literal(character: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(character) ? `\\${character}` : character;
}

function unescapePattern(text: string): string {
  return text.replaceAll(/\\(.)/g, '$1');
}
