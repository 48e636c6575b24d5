import { InvalidArgumentError } from 'commander';
import { parseFields, switchOf } from './fields.ts';

/** Where a result goes, as the command line says it; `-` is standard output. */
export type OutputOption =
  | { readonly kind: 'image'; readonly tags: readonly string[] | undefined; readonly isPushed?: boolean }
  | {
      readonly kind: 'oci' | 'docker';
      readonly dest: string;
      readonly isTar: boolean;
      readonly tags: readonly string[] | undefined;
    }
  | { readonly kind: 'local' | 'tar'; readonly dest: string }
  /** Nothing but the cache. */
  | { readonly kind: 'cacheonly' };

export type CacheOption = { readonly mode: 'min' | 'max' } & (
  | { readonly kind: 'local'; readonly path: string; readonly tag: string | undefined }
  | { readonly kind: 'registry'; readonly reference: string }
);

export interface SecretOption {
  readonly id: string;
  readonly source: { readonly kind: 'file' | 'env' | 'either'; readonly name: string };
}

const OUTPUT_FIELDS = ['type', 'dest', 'name', 'tar', 'push', 'load', 'unpack', 'oci-mediatypes'];

/** `type=…,dest=…`; a path alone is a folder, `-` an archive of files on standard output. */
export function parseOutput(text: string, previous: readonly OutputOption[] = []): readonly OutputOption[] {
  return [...previous, outputOf(text)];
}

function outputOf(text: string): OutputOption {
  if (text === '-') return { kind: 'tar', dest: '-' };
  if (!text.includes('=')) return { kind: 'local', dest: text };
  const fields = parseFields(text, OUTPUT_FIELDS);
  const dest = fields.get('dest') ?? '';
  const name = fields.get('name');
  const tags = name === undefined || name === '' ? undefined : name.split(',');
  const isPushed = switchOf(fields, 'push', fields.get('type') === 'registry');
  if (isPushed && !['image', 'registry'].includes(fields.get('type') ?? ''))
    throw new InvalidArgumentError('Only type=image and type=registry are pushed.');
  switch (fields.get('type') ?? '') {
    case 'image':
    case 'registry':
      return { kind: 'image', tags, isPushed };
    case 'docker':
      if (dest === '') return { kind: 'image', tags };
      return { kind: 'docker', dest, isTar: switchOf(fields, 'tar', true), tags };
    case 'oci':
      return { kind: 'oci', dest: dest === '' ? '-' : dest, isTar: switchOf(fields, 'tar', true), tags };
    case 'local':
      if (dest === '' || dest === '-') throw new InvalidArgumentError('type=local needs dest=FOLDER.');
      return { kind: 'local', dest };
    case 'tar':
      return { kind: 'tar', dest: dest === '' ? '-' : dest };
    case 'cacheonly':
      return { kind: 'cacheonly' };
    default:
      throw new InvalidArgumentError('type must be image, registry, docker, oci, local, tar or cacheonly.');
  }
}

/** `type=local,src=FOLDER[,tag=NAME]`, `type=registry,ref=NAME`, or the name in the registry alone */
export function parseCacheFrom(text: string, previous: readonly CacheOption[] = []): readonly CacheOption[] {
  return [...previous, cacheOf(text, 'src', ['type', 'src', 'tag', 'ref'])];
}

/** `type=local,dest=FOLDER[,mode=max][,tag=NAME]`, `type=registry,ref=NAME[,mode=max]`, or the name alone */
export function parseCacheTo(text: string, previous: readonly CacheOption[] = []): readonly CacheOption[] {
  return [...previous, cacheOf(text, 'dest', ['type', 'dest', 'mode', 'tag', 'ref'])];
}

function cacheOf(text: string, place: 'src' | 'dest', known: readonly string[]): CacheOption {
  if (!text.includes('=')) return { kind: 'registry', reference: text, mode: 'min' };
  const fields = parseFields(text, known);
  const mode = fields.get('mode') ?? 'min';
  if (mode !== 'min' && mode !== 'max') throw new InvalidArgumentError('mode must be min or max.');
  switch (fields.get('type')) {
    case 'local':
      return { kind: 'local', path: requiredOf(fields, place, 'FOLDER'), tag: fields.get('tag'), mode };
    case 'registry':
      return { kind: 'registry', reference: requiredOf(fields, 'ref', 'NAME'), mode };
    default:
      throw new InvalidArgumentError('type must be local or registry.');
  }
}

function requiredOf(fields: ReadonlyMap<string, string>, key: string, what: string): string {
  const value = fields.get(key) ?? '';
  if (value === '') throw new InvalidArgumentError(`type=${fields.get('type')} needs ${key}=${what}.`);
  return value;
}

/** `id=NAME[,src=FILE|,env=VARIABLE]`; without either: the variable of that name, else the file. */
export function parseSecret(text: string, previous: readonly SecretOption[] = []): readonly SecretOption[] {
  const fields = parseFields(text, ['type', 'id', 'src', 'source', 'env']);
  const file = fields.get('src') ?? fields.get('source');
  const variable = fields.get('env');
  const id = fields.get('id') ?? '';
  if (id === '') throw new InvalidArgumentError('It needs id=NAME.');
  if (file !== undefined && variable !== undefined) throw new InvalidArgumentError('It is either src= or env=.');
  if (variable !== undefined) return [...previous, { id, source: { kind: 'env', name: variable } }];
  if (file !== undefined) {
    const kind = fields.get('type') === 'env' ? 'env' : 'file';
    return [...previous, { id, source: { kind, name: file } }];
  }
  return [...previous, { id, source: { kind: 'either', name: id } }];
}

/** `default` or `id[=SOCKET]` */
export function parseSsh(
  text: string,
  previous: Readonly<Record<string, string | undefined>> = {},
): Readonly<Record<string, string | undefined>> {
  const equals = text.indexOf('=');
  const id = equals < 0 ? text : text.slice(0, equals);
  if (id === '') throw new InvalidArgumentError('It must be default, or ID=SOCKET.');
  return { ...previous, [id]: equals < 0 ? undefined : text.slice(equals + 1) };
}

/** `NAME=VALUE`, or `NAME` alone: its value is the environment's. */
export function parseBuildArg(
  text: string,
  previous: Readonly<Record<string, string | undefined>> = {},
): Readonly<Record<string, string | undefined>> {
  const equals = text.indexOf('=');
  const name = equals < 0 ? text : text.slice(0, equals);
  if (name === '') throw new InvalidArgumentError('It must be NAME=VALUE, or NAME.');
  return { ...previous, [name]: equals < 0 ? undefined : text.slice(equals + 1) };
}

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** `64m` as bytes. */
export function parseSize(text: string): number {
  const [, figures = '', unit = ''] = /^(\d+)([bkmg]?)b?$/i.exec(text.trim()) ?? [];
  const bytes = Number(figures) * (UNITS[unit.toLowerCase()] ?? Number.NaN);
  if (figures === '' || !(bytes > 0)) throw new InvalidArgumentError('It must be a size such as 64m or 1g.');
  return bytes;
}
