import { InvalidArgumentError } from 'commander';

/** Words of a line of comma-separated values (RFC 4180): one in quotes may have commas. */
function splitFields(text: string): readonly string[] {
  return [...text.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? '',
  );
}

/**
 * `type=local,dest=out` as a map; keys in lower case. A word alone is a key with an empty value.
 * @throws InvalidArgumentError for a key that is none of `known`, or comes twice
 */
export function parseFields(text: string, known: readonly string[]): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  for (const field of splitFields(text)) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    if (!known.includes(key)) throw new InvalidArgumentError(`"${key}" is none of ${known.join(', ')}.`);
    if (fields.has(key)) throw new InvalidArgumentError(`"${key}" is given twice.`);
    fields.set(key, equals < 0 ? '' : field.slice(equals + 1));
  }
  return fields;
}

/** A switch among fields: absent, alone, or `true` and `false`. */
export function switchOf(fields: ReadonlyMap<string, string>, name: string, absent: boolean): boolean {
  const value = fields.get(name);
  if (value === undefined) return absent;
  if (['', '1', 'true'].includes(value)) return true;
  if (['0', 'false'].includes(value)) return false;
  throw new InvalidArgumentError(`${name} must be true or false, not "${value}".`);
}
