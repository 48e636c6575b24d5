import { nearestWord } from '../../lib/nearest.ts';
import { expected, type Kind, type ReadEnvironment } from './kinds.ts';
import { joinPath, type MapNode, nodeError, plainOf } from './node.ts';

/** A key of an object. Compose omits zero values (`false`, `0`, empty) unless told to keep them. */
export interface Field {
  readonly kind: Kind;
  readonly keepZero?: true;
  readonly required?: true;
}
export type Fields = Readonly<Record<string, Kind | Field>>;

/** Keeps `false`, `0` and empty values: they mean something else than nothing. */
export function kept(kind: Kind): Field {
  return { kind, keepZero: true };
}

export function required(kind: Kind): Field {
  return { kind, required: true, keepZero: true };
}

/** A mapping with known keys; `x-*` keys are kept as they are, any other is an error that names the nearest. */
export function object<T = Readonly<Record<string, unknown>>>(fields: Fields): Kind<T> {
  const names = Object.keys(fields);
  return {
    expects: 'a mapping',
    read(node, path, env) {
      if (node.kind !== 'map') throw expected(node, path, 'a mapping');
      assertRequired(node, path, fields);
      const result: Record<string, unknown> = {};
      for (const [key, entry] of node.entries) {
        const below = joinPath(path, key);
        if (key.startsWith('x-')) result[key] = plainOf(entry.value);
        else if (!Object.hasOwn(fields, key)) throw unknownKey(key, entry.keyAt, below, names);
        else
          readField(result, { key, node: entry.value, path: below, env, field: fieldOf(fields[key] as Kind | Field) });
      }
      return result as T;
    },
  };
}

function fieldOf(field: Kind | Field): Field {
  return 'kind' in field ? field : { kind: field };
}

interface FieldValue {
  readonly key: string;
  readonly node: Parameters<Kind['read']>[0];
  readonly path: string;
  readonly env: ReadEnvironment;
  readonly field: Field;
}

function readField(result: Record<string, unknown>, { key, node, path, env, field }: FieldValue): void {
  const value = field.kind.read(node, path, env);
  if (value === undefined || (field.keepZero !== true && isZero(value))) return;
  result[key] = value;
}

/** What Go's `omitempty` leaves out. */
function isZero(value: unknown): boolean {
  if (value === null || value === '' || value === false || value === 0 || value === '0s') return true;
  if (Array.isArray(value)) return value.length === 0;
  return false;
}

function assertRequired(node: MapNode, path: string, fields: Fields): void {
  for (const [key, field] of Object.entries(fields)) {
    if ('kind' in field && field.required && !node.entries.has(key)) {
      throw nodeError(node, path, `needs the key "${key}"`, `Add "${key}:" here.`);
    }
  }
}

/** Also for keys that zod finds unknown. */
export function unknownKey(key: string, at: MapNode['at'], path: string, names: readonly string[]) {
  const near = nearestWord(key, names);
  const known = names.length <= 12 ? ` Known here: ${names.join(', ')}.` : '';
  const fix =
    near === undefined ? `Remove it, or call it "x-${key}" to keep it as a note.${known}` : `Did you mean "${near}"?`;
  return nodeError({ at }, path, `unknown key "${key}"`, fix);
}
