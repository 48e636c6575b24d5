import {
  bool,
  bytes,
  expected,
  integer,
  invalid,
  type Kind,
  list,
  mapping,
  oneOf,
  string,
  text,
  uniqueBy,
} from './kinds.ts';
import { type Node } from './node.ts';
import { kept, object, required } from './object.ts';
import { absolutePath, cleanPath, expandHome } from './paths.ts';
import type { Device, ServiceVolume } from './service.ts';
import { labels } from './short.ts';

const FIX = 'Write SOURCE:TARGET[:ro], for example "data:/var/lib/data" or "./site:/srv:ro".';
const PROPAGATIONS = new Set(['rprivate', 'private', 'rshared', 'shared', 'rslave', 'slave']);

/** A short volume before its source's path is resolved. */
type Parsed = { -readonly [K in keyof ServiceVolume]: ServiceVolume[K] } & {
  source?: string;
  bind?: Record<string, unknown>;
  volume?: Record<string, unknown>;
};

/** Parses the short form; a string says what is wrong. The source is left as written. */
function parseVolume(spec: string): Parsed | string {
  const parts = spec.split(':');
  if (spec === '') return 'an empty volume';
  if (parts.some((part) => part === '')) return `"${spec}" has an empty part between its colons`;
  if (parts.length > 3) return `"${spec}" has too many colons`;
  const [first = '', second, options] = parts;
  if (second === undefined) return { type: 'volume', target: cleanPath(first), volume: {} };
  const isBind = /^[./~]/.test(first);
  const volume = {
    type: isBind ? 'bind' : 'volume',
    source: first,
    target: cleanPath(second),
    ...(isBind ? { bind: { create_host_path: true } } : { volume: {} }),
  } as Parsed;
  return options === undefined ? volume : applyOptions(volume, options);
}

function applyOptions(volume: Parsed, options: string): Parsed | string {
  for (const option of options.split(',')) {
    if (option === 'ro') volume.read_only = true;
    else if (option === 'rw') delete volume.read_only;
    else if (option === 'nocopy') volume.volume = { ...volume.volume, nocopy: true };
    else if (option === 'z' || option === 'Z') volume.bind = { ...volume.bind, selinux: option };
    else if (PROPAGATIONS.has(option)) volume.bind = { ...volume.bind, propagation: option };
    else if (!/^(?:cached|delegated|consistent)$/.test(option)) return `unknown option "${option}"`;
  }
  return volume;
}

/** Octal permissions as a number: YAML's own octal numbers, and text. */
const mode: Kind<number> = {
  expects: 'permissions in octal such as 0755',
  read(node, path, env) {
    if (node.kind !== 'scalar' || node.type !== 'string') return integer({ min: 0, max: 0o7777 }).read(node, path, env);
    if (/^[0-7]{1,5}$/.test(node.value)) return Number.parseInt(node.value, 8);
    throw expected(node, path, 'permissions in octal such as 0755');
  },
};

const longVolume = object<ServiceVolume & { source?: string }>({
  type: required(oneOf('bind', 'volume', 'tmpfs', 'cluster', 'npipe', 'image')),
  source: string,
  target: string,
  read_only: bool,
  consistency: string,
  bind: object({
    propagation: oneOf(...PROPAGATIONS),
    create_host_path: bool,
    recursive: oneOf('enabled', 'disabled', 'writable', 'readonly'),
    selinux: oneOf('z', 'Z'),
  }),
  volume: object({ labels, nocopy: bool, subpath: string }),
  tmpfs: object({ size: bytes, mode: kept(mode) }),
  image: object({ subpath: string }),
});

const volumeEntry: Kind<ServiceVolume> = {
  expects: 'a volume',
  read(node, path, env) {
    const parsed = readEither(node, path, env);
    const { source } = parsed;
    if (parsed.type === 'bind' && (source === undefined || source === '')) {
      throw invalid(node, path, 'a bind mount needs a source', 'Add "source: ./folder".');
    }
    if (parsed.type !== 'bind' || source === undefined) return parsed as ServiceVolume;
    return { ...parsed, source: absolutePath(expandHome(source, env.home), node.at.source.directory) };
  },
};

function readEither(node: Node, path: string, env: Parameters<Kind['read']>[2]): Parsed {
  if (node.kind === 'map') {
    const volume = longVolume.read(node, path, env) as ServiceVolume;
    if (volume.target === undefined || volume.target === '') {
      throw invalid(node, path, 'a mount needs a target', 'Add "target: /path/in/the/container".');
    }
    return { ...volume, target: cleanPath(volume.target) };
  }
  if (node.kind !== 'scalar' || node.type !== 'string')
    throw expected(node, path, 'a volume such as "data:/data", or a mapping');
  const parsed = parseVolume(node.value);
  if (typeof parsed === 'string') throw invalid(node, path, parsed, FIX);
  return parsed;
}

/** `volumes` of a service: a later mount on the same target replaces the earlier one. */
export const volumes: Kind<readonly ServiceVolume[]> = list(volumeEntry, { key: (volume) => volume.target });

const longDevice = object<Device>({ source: required(string), target: required(string), permissions: string });

const deviceEntry: Kind<Device> = {
  expects: 'a device',
  read(node, path, env) {
    if (node.kind === 'map') return longDevice.read(node, path, env);
    const spec = text.read(node, path, env) ?? '';
    const [source = '', target = source, permissions = 'rwm', extra] = spec.split(':');
    if (source === '' || extra !== undefined || !/^[rwm]{1,3}$/.test(permissions)) {
      throw invalid(
        node,
        path,
        `invalid device "${spec}"`,
        'Write HOST[:CONTAINER[:rwm]], for example "/dev/ttyUSB0:/dev/ttyUSB0".',
      );
    }
    return { source, target, permissions };
  },
};

export const devices: Kind<readonly Device[]> = {
  expects: 'a list of devices',
  read: (node, path, env) =>
    uniqueBy(list(deviceEntry).read(node, path, env) ?? [], (device) => device.target ?? device.source),
};

/** A mapping of names to numbers or `{soft, hard}`. */
export const ulimits = mapping<unknown>(
  {
    expects: 'a number, or soft and hard',
    read(node, path, env) {
      if (node.kind !== 'map') return integer({ min: -1 }).read(node, path, env);
      return object({ soft: required(integer({ min: -1 })), hard: required(integer({ min: -1 })) }).read(
        node,
        path,
        env,
      );
    },
  },
  /^[A-Za-z]+$/,
);
