import { nearestWord } from '../../../lib/nearest.ts';
import { splitFields } from './fields.ts';
import type { FlagValue } from './parse.ts';
import { errorAt, type Source } from './source.ts';
import type { CacheSharing, MountOwner, RunMount } from './statement.ts';

/** Keys of each type of mount, without their other spellings. */
export const MOUNT_KEYS: Readonly<Record<RunMount['type'], readonly string[]>> = {
  bind: ['from', 'source', 'target', 'readonly', 'readwrite'],
  cache: ['id', 'target', 'readonly', 'readwrite', 'sharing', 'from', 'source', 'mode', 'uid', 'gid'],
  tmpfs: ['target', 'size'],
  secret: ['id', 'source', 'target', 'required', 'mode', 'uid', 'gid', 'env'],
  ssh: ['id', 'target', 'required', 'mode', 'uid', 'gid'],
};
const ALIASES: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
  rw: 'readwrite',
};
const SWITCHES = ['readonly', 'readwrite', 'required'];
const SHARINGS: readonly CacheSharing[] = ['shared', 'private', 'locked'];
const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3, t: 1024 ** 4 };

/**
 * Reads `--mount=type=…,key=value,…` (Dockerfile reference: RUN --mount).
 * @param expand of variables in the values; `from` is taken as it is
 */
export function readRunMount(
  source: Source,
  { value, flag }: FlagValue,
  expand: (text: string) => string = (text) => text,
): RunMount {
  const fields = new Map<string, string>();
  for (const { name, value: text } of splitFields(value)) {
    const word = name.toLowerCase();
    const key = ALIASES[word] ?? word;
    if (text === undefined && !SWITCHES.includes(key)) {
      throw errorAt(source, flag.position, {
        message: `"${name}" in --mount has no value`,
        fix: `Write ${name}=VALUE.`,
      });
    }
    if (key === 'from') refuseVariable(source, flag, text ?? '');
    fields.set(key, text === undefined ? 'true' : key === 'from' ? text : expand(text));
  }
  const type = fields.get('type')?.toLowerCase() ?? 'bind';
  fields.delete('type');
  if (!isMountType(type)) throw unknownType(source, flag, type);
  const mount: Fields = { source, fields, flag, type };
  refuseUnknownKeys(mount);
  return READERS[type](mount);
}

interface Fields {
  readonly source: Source;
  readonly fields: ReadonlyMap<string, string>;
  readonly flag: FlagValue['flag'];
  readonly type: RunMount['type'];
}

const READERS: Readonly<Record<RunMount['type'], (o: Fields) => RunMount>> = {
  bind: readBind,
  cache: readCache,
  tmpfs: (o) => ({ type: 'tmpfs', target: required(o, 'target'), sizeBytes: size(o) }),
  secret: readSecret,
  ssh: readSsh,
};

function readBind(o: Fields): RunMount {
  return {
    type: 'bind',
    target: required(o, 'target'),
    source: o.fields.get('source') ?? '/',
    from: o.fields.get('from'),
    readOnly: isReadOnly(o) ?? true,
  };
}

function readCache(o: Fields): RunMount {
  const target = required(o, 'target');
  const sharing = SHARINGS.find((word) => word === (o.fields.get('sharing') ?? 'shared').toLowerCase());
  if (sharing === undefined) throw unknownSharing(o);
  return {
    type: 'cache',
    target,
    id: o.fields.get('id') ?? target,
    sharing,
    readOnly: isReadOnly(o) ?? false,
    from: o.fields.get('from'),
    source: o.fields.get('source') ?? '/',
    ...owner(o, 0o755),
  };
}

function readSecret(o: Fields): RunMount {
  const target = o.fields.get('target');
  const env = o.fields.get('env');
  const id = o.fields.get('source') ?? o.fields.get('id') ?? target?.split('/').at(-1);
  if (id === undefined || id === '') throw missing(o, 'id');
  return {
    type: 'secret',
    id,
    target: target ?? (env === undefined ? `/run/secrets/${id}` : ''),
    env,
    required: isTrue(o, 'required') ?? false,
    ...owner(o, 0o400),
  };
}

/** Empty target: `/run/buildkit/ssh_agent.<number>`, which the planner counts. */
function readSsh(o: Fields): RunMount {
  return {
    type: 'ssh',
    id: o.fields.get('id') ?? 'default',
    target: o.fields.get('target') ?? '',
    required: isTrue(o, 'required') ?? false,
    ...owner(o, 0o600),
  };
}

function owner(o: Fields, mode: number): MountOwner {
  return { mode: number(o, 'mode', 8) ?? mode, uid: number(o, 'uid', 10) ?? 0, gid: number(o, 'gid', 10) ?? 0 };
}

function isReadOnly(o: Fields): boolean | undefined {
  const writable = isTrue(o, 'readwrite');
  return writable === undefined ? isTrue(o, 'readonly') : !writable;
}

function isMountType(text: string): text is RunMount['type'] {
  return Object.hasOwn(MOUNT_KEYS, text);
}

/** Which stages are needed is known before variables are. */
function refuseVariable(source: Source, flag: FlagValue['flag'], from: string): void {
  if (!from.includes('$')) return;
  throw errorAt(source, flag.position, {
    message: `from=${from}: a variable cannot be used there`,
    fix: 'Name a stage (FROM ${VARIABLE} AS name), and write from=name.',
  });
}

function unknownType(source: Source, flag: FlagValue['flag'], type: string): Error {
  const near = nearestWord(type, Object.keys(MOUNT_KEYS));
  return errorAt(source, flag.position, {
    message: `unknown type of mount "${type}"`,
    fix: near === undefined ? `It is one of ${Object.keys(MOUNT_KEYS).join(', ')}.` : `Did you mean ${near}?`,
  });
}

function unknownSharing(o: Fields): Error {
  const word = o.fields.get('sharing') ?? '';
  const near = nearestWord(word, SHARINGS);
  return errorAt(o.source, o.flag.position, {
    message: `unknown sharing of a cache mount: "${word}"`,
    fix: near === undefined ? `It is one of ${SHARINGS.join(', ')}.` : `Did you mean ${near}?`,
  });
}

function refuseUnknownKeys({ source, fields, flag, type }: Fields): void {
  const known = MOUNT_KEYS[type];
  for (const key of fields.keys()) {
    if (known.includes(key)) continue;
    const near = nearestWord(key, known);
    throw errorAt(source, flag.position, {
      message: `unknown key "${key}" of a ${type} mount`,
      fix: near === undefined ? `It has these: ${known.join(', ')}.` : `Did you mean ${near}?`,
    });
  }
}

function required(o: Fields, key: string): string {
  const value = o.fields.get(key);
  if (value === undefined || value === '') throw missing(o, key);
  return value;
}

function missing(o: Fields, key: string): Error {
  return errorAt(o.source, o.flag.position, {
    message: `the ${o.type} mount has no ${key}`,
    fix: `Write --mount=type=${o.type},${key}=VALUE.`,
  });
}

function isTrue(o: Fields, key: string): boolean | undefined {
  const text = o.fields.get(key)?.toLowerCase();
  if (text === undefined) return undefined;
  if (['true', '1', 't'].includes(text)) return true;
  if (['false', '0', 'f'].includes(text)) return false;
  throw bad(o, key, 'Write true or false.');
}

function number(o: Fields, key: string, base: 8 | 10): number | undefined {
  const text = o.fields.get(key);
  if (text === undefined) return undefined;
  const form = base === 8 ? /^[0-7]{1,5}$/ : /^\d{1,10}$/;
  if (form.test(text)) return Number.parseInt(text, base);
  throw bad(o, key, base === 8 ? 'Write it in octal, for example 0755.' : 'Write a number.');
}

function size(o: Fields): number | undefined {
  const text = o.fields.get('size');
  if (text === undefined) return undefined;
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?) ?(?:([kmgt])(?:i?b)?|b)?$/i.exec(text) ?? [];
  if (digits !== undefined) return Math.floor(Number(digits) * (UNITS[unit.toLowerCase()] ?? 1));
  throw bad(o, 'size', 'Write bytes, or a number with a unit: 64m, 1g.');
}

function bad(o: Fields, key: string, fix: string): Error {
  return errorAt(o.source, o.flag.position, {
    message: `the ${o.type} mount has the ${key} "${o.fields.get(key) ?? ''}"`,
    fix,
  });
}
