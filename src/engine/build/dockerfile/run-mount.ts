import { nearestWord } from '../../../lib/nearest.ts';
import type { FlagValue } from './flags.ts';
import { errorAt, type Source, unsupportedAt } from './source.ts';
import type { RunMount } from './statement.ts';

const KEYS: Readonly<Record<RunMount['type'], readonly string[]>> = {
  bind: ['from', 'source', 'target', 'readonly'],
  cache: ['id', 'target', 'readonly', 'sharing', 'mode', 'uid', 'gid'],
  tmpfs: ['target', 'size'],
  secret: ['id', 'target', 'required', 'mode', 'uid', 'gid', 'env'],
};
const ALIASES: Readonly<Record<string, string>> = {
  src: 'source',
  dst: 'target',
  destination: 'target',
  ro: 'readonly',
};

/** Reads `--mount=type=…,key=value,…` (Dockerfile reference: RUN --mount). */
export function readRunMount(source: Source, { value, flag }: FlagValue): RunMount {
  const fields = new Map<string, string>();
  for (const part of value.split(',')) {
    const at = part.indexOf('=');
    const word = (at < 0 ? part : part.slice(0, at)).toLowerCase();
    const text = at < 0 ? 'true' : part.slice(at + 1);
    if (word === 'rw' || word === 'readwrite') fields.set('readonly', text === 'true' ? 'false' : 'true');
    else fields.set(ALIASES[word] ?? word, text);
  }
  const type = fields.get('type') ?? 'bind';
  fields.delete('type');
  if (type === 'ssh') throw unsupportedAt(source, flag.position, 'RUN --mount=type=ssh');
  if (!isMountType(type)) {
    const near = nearestWord(type, Object.keys(KEYS));
    throw errorAt(source, flag.position, {
      message: `unknown type of mount "${type}"`,
      fix: near === undefined ? `It is one of ${Object.keys(KEYS).join(', ')}.` : `Did you mean ${near}?`,
    });
  }
  refuseUnknownKeys(source, { type, fields, flag });
  return mountOf(type, { source, fields, flag });
}

interface Fields {
  readonly source: Source;
  readonly fields: ReadonlyMap<string, string>;
  readonly flag: FlagValue['flag'];
}

function mountOf(type: RunMount['type'], o: Fields): RunMount {
  const { fields } = o;
  const owner = { uid: number(o, 'uid', 10) ?? 0, gid: number(o, 'gid', 10) ?? 0 };
  switch (type) {
    case 'bind':
      if (fields.get('readonly') === 'false')
        throw unsupportedAt(o.source, o.flag.position, 'a bind mount with write access');
      return {
        type,
        target: required(o, 'target'),
        source: fields.get('source') ?? '/',
        from: fields.get('from'),
      };
    case 'cache': {
      const target = required(o, 'target');
      const sharing = fields.get('sharing') ?? 'shared';
      if (!['shared', 'private', 'locked'].includes(sharing)) throw bad(o, 'sharing');
      if (sharing === 'private') throw unsupportedAt(o.source, o.flag.position, 'sharing=private of a cache mount');
      const readOnly = fields.get('readonly') === 'true';
      return {
        type,
        target,
        id: fields.get('id') ?? target,
        isLocked: sharing === 'locked',
        readOnly,
        mode: number(o, 'mode', 8) ?? 0o755,
        ...owner,
      };
    }
    case 'tmpfs':
      return { type, target: required(o, 'target'), sizeBytes: number(o, 'size', 10) };
    case 'secret': {
      const id = fields.get('id') ?? fields.get('target')?.split('/').at(-1);
      if (id === undefined) throw bad(o, 'id');
      return {
        type,
        id,
        target: fields.get('target') ?? (fields.has('env') ? '' : `/run/secrets/${id}`),
        env: fields.get('env'),
        required: fields.get('required') === 'true',
        mode: number(o, 'mode', 8) ?? 0o400,
        ...owner,
      };
    }
  }
}

function isMountType(text: string): text is RunMount['type'] {
  return Object.hasOwn(KEYS, text);
}

function refuseUnknownKeys(
  source: Source,
  o: {
    readonly type: RunMount['type'];
    readonly fields: ReadonlyMap<string, string>;
    readonly flag: FlagValue['flag'];
  },
): void {
  for (const key of o.fields.keys()) {
    if (KEYS[o.type].includes(key)) continue;
    const near = nearestWord(key, KEYS[o.type]);
    throw errorAt(source, o.flag.position, {
      message: `unknown key "${key}" of a ${o.type} mount`,
      fix: near === undefined ? `It has these: ${KEYS[o.type].join(', ')}.` : `Did you mean ${near}?`,
    });
  }
}

function required(o: Fields, key: string): string {
  const value = o.fields.get(key);
  if (value === undefined || value === '') throw bad(o, key);
  return value;
}

function number(o: Fields, key: string, base: 8 | 10): number | undefined {
  const text = o.fields.get(key);
  if (text === undefined) return undefined;
  if (!(base === 8 ? /^[0-7]{1,5}$/ : /^\d+$/).test(text)) throw bad(o, key);
  return Number.parseInt(text, base);
}

function bad(o: Fields, key: string): Error {
  return errorAt(o.source, o.flag.position, {
    message: `the mount needs a valid "${key}"`,
    fix: `Write --mount=type=…,${key}=VALUE.`,
  });
}
