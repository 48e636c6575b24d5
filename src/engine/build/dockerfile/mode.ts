/** `--chmod`: a mode, or changes of the mode that a file has (chmod(1)). */
export type ModeChange =
  | { readonly kind: 'mode'; readonly mode: number }
  | { readonly kind: 'symbolic'; readonly clauses: readonly ModeClause[] };

/** One step of `u=rwX,g+s,o=g`; `who` and `permissions` are bits, as in modes. */
export interface ModeClause {
  /** 0o700, 0o070, 0o007 and unions of them. */
  readonly who: number;
  readonly operator: '+' | '-' | '=';
  /** Letters of `rwxXst`, or one of `ugo`: what that class has. */
  readonly permissions: string;
}

const CLASSES: Readonly<Record<string, number>> = { u: 0o700, g: 0o070, o: 0o007, a: 0o777 };
const BITS: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111 };

/** Reads `755`, `u=rwx,go=r`, `+x` and so on; undefined where it is neither. */
export function parseMode(text: string): ModeChange | undefined {
  if (/^[0-7]{1,5}$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    return mode > 0o7777 ? undefined : { kind: 'mode', mode };
  }
  const clauses: ModeClause[] = [];
  for (const part of text.split(',')) {
    const [, who = '', operations] = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(part) ?? [];
    if (operations === undefined) return undefined;
    const classes = [...who].reduce((bits, letter) => bits | (CLASSES[letter] ?? 0), 0) || 0o777;
    for (const [, operator = '', permissions = ''] of operations.matchAll(/([-+=])([^-+=]*)/g)) {
      clauses.push({ who: classes, operator: operator as ModeClause['operator'], permissions });
    }
  }
  return { kind: 'symbolic', clauses };
}

/** The mode (12 bits) of a file that had `before`. Pure. */
export function changedMode(change: ModeChange, before: number, isDirectory: boolean): number {
  if (change.kind === 'mode') return change.mode;
  return change.clauses.reduce((mode, clause) => applyClause(clause, mode, isDirectory), before & 0o7777);
}

function applyClause({ who, operator, permissions }: ModeClause, mode: number, isDirectory: boolean): number {
  const bits = bitsOf(permissions, who, { mode, isDirectory });
  switch (operator) {
    case '+':
      return mode | bits;
    case '-':
      return mode & ~bits;
    case '=':
      return (mode & ~clearedBy(who, isDirectory)) | bits;
  }
}

/** What `=` takes away first; set-user-id and set-group-id of folders stay, as chmod(1) leaves them. */
function clearedBy(who: number, isDirectory: boolean): number {
  const special = isDirectory ? 0 : (who & 0o700 ? 0o4000 : 0) | (who & 0o070 ? 0o2000 : 0);
  return who | special | (who & 0o007 ? 0o1000 : 0);
}

function bitsOf(
  permissions: string,
  who: number,
  { mode, isDirectory }: { readonly mode: number; readonly isDirectory: boolean },
): number {
  let bits = 0;
  for (const letter of permissions) {
    if (letter in CLASSES) bits |= spread(mode, CLASSES[letter] ?? 0) & who;
    else if (letter === 'X') bits |= isDirectory || (mode & 0o111) !== 0 ? 0o111 & who : 0;
    else if (letter === 's') bits |= (who & 0o700 ? 0o4000 : 0) | (who & 0o070 ? 0o2000 : 0);
    else if (letter === 't') bits |= who & 0o007 ? 0o1000 : 0;
    else bits |= (BITS[letter] ?? 0) & who;
  }
  return bits;
}

/** The permissions that one class has, for all three. */
function spread(mode: number, from: number): number {
  const three = from === 0o700 ? (mode >> 6) & 7 : from === 0o070 ? (mode >> 3) & 7 : mode & 7;
  return three * 0o111;
}
