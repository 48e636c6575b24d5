import { isAbsolute, posix } from 'node:path';
import type { MountSpec } from '../runtime/index.ts';
import type { VolumeRequest } from '../volume/index.ts';
import type { HostConfig, MountRequest } from './create-request.ts';
import { invalidParameter, unsupported } from './http-errors.ts';

/** A mount and, where it is a volume, how to make that. A volume without a name is an anonymous one, named later. */
export interface PlannedMount {
  readonly mount: MountSpec;
  readonly volume?: VolumeRequest;
}

export interface MountInputs {
  readonly hostConfig: HostConfig;
  /** Targets of anonymous volumes, of the user and of the image. */
  readonly anonymousVolumes: readonly string[];
  /** The mounts of another container. @throws UserError `container-not-found` */
  mountsOf(nameOrId: string): readonly MountSpec[];
}

type BindMount = Extract<MountSpec, { type: 'bind' }>;

const VOLUME_NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;
const PROPAGATIONS = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'] as const;

/**
 * All mounts of a container. What is asked for explicitly wins over an inherited volume at the same target.
 * @throws UserError `invalid-parameter`, `unsupported`
 */
export function planMounts(inputs: MountInputs): readonly PlannedMount[] {
  const { hostConfig } = inputs;
  const explicit = [
    ...(hostConfig.Binds ?? []).map(bindOf),
    ...(hostConfig.Mounts ?? []).map(mountOf),
    ...Object.entries(hostConfig.Tmpfs ?? {}).map(([target, options]) => ({ mount: tmpfsOf(target, options) })),
  ];
  refuseDuplicates(explicit);
  const taken = new Set(explicit.map(({ mount }) => mount.target));
  const inherited = keepNew(
    taken,
    (hostConfig.VolumesFrom ?? []).flatMap((text) => volumesFrom(text, inputs)),
  );
  const anonymous = keepNew(taken, inputs.anonymousVolumes.map(anonymousVolume));
  return [...explicit, ...inherited, ...anonymous];
}

/** Takes those whose target is free; of several, the last wins, as with `--volumes-from`. */
function keepNew(taken: Set<string>, candidates: readonly PlannedMount[]): readonly PlannedMount[] {
  const byTarget = new Map<string, PlannedMount>();
  for (const candidate of candidates) {
    if (!taken.has(candidate.mount.target)) byTarget.set(candidate.mount.target, candidate);
  }
  for (const target of byTarget.keys()) taken.add(target);
  return [...byTarget.values()];
}

function refuseDuplicates(mounts: readonly PlannedMount[]): void {
  const seen = new Set<string>();
  for (const { mount } of mounts) {
    if (seen.has(mount.target)) throw invalidParameter(`Duplicate mount point: ${mount.target}`);
    seen.add(mount.target);
  }
}

function anonymousVolume(text: string): PlannedMount {
  const target = targetOf(text, text);
  return { mount: { type: 'volume', name: '', target, readOnly: false, noCopy: false }, volume: {} };
}

/** `SOURCE:TARGET[:OPTIONS]`, as `docker run -v` sends it. */
function bindOf(text: string): PlannedMount {
  const [source = '', targetText, optionText = '', ...rest] = text.split(':');
  if (targetText === undefined) return anonymousVolume(source);
  if (rest.length > 0 || source === '' || targetText === '') throw invalidVolume(text);
  const target = targetOf(targetText, text);
  const options = bindOptionsOf(optionText, text);
  if (isAbsolute(source)) {
    return { mount: { type: 'bind', source: cleaned(source), target, createSource: true, ...options.bind } };
  }
  if (!VOLUME_NAME.test(source)) throw invalidVolumeName(source);
  const { readOnly } = options.bind;
  return {
    mount: { type: 'volume', name: source, target, readOnly, noCopy: options.noCopy },
    volume: { name: source },
  };
}

function bindOptionsOf(text: string, whole: string) {
  let readOnly = false;
  let noCopy = false;
  let propagation: BindMount['propagation'];
  for (const option of text.split(',').filter((word) => word !== '')) {
    const found = PROPAGATIONS.find((word) => word === option);
    if (found !== undefined) propagation = found;
    else if (option === 'ro') readOnly = true;
    else if (option === 'nocopy') noCopy = true;
    else if (!['rw', 'z', 'Z', 'cached', 'delegated', 'consistent', 'default'].includes(option)) {
      throw invalidParameter(
        `invalid mode: ${option}`,
        `Options of a volume ("${whole}") are ro, rw, z, Z, nocopy and the propagation.`,
      );
    }
  }
  return { bind: { readOnly, ...(propagation === undefined ? {} : { propagation }) }, noCopy };
}

/** An entry of `HostConfig.Mounts`, as `docker run --mount` sends it. */
function mountOf(request: MountRequest): PlannedMount {
  if (!request.Target)
    throw invalidParameter(`invalid mount config for type "${request.Type}": field Target must not be empty`);
  const target = targetOf(request.Target, `the ${request.Type} mount`);
  const readOnly = request.ReadOnly ?? false;
  switch (request.Type) {
    case 'bind':
      return { mount: bindMountOf(request, { target, readOnly }) };
    case 'volume':
      return volumeMountOf(request, { target, readOnly });
    case 'tmpfs':
      return { mount: tmpfsMountOf(request, target) };
    default:
      if (['npipe', 'cluster', 'image'].includes(request.Type)) throw unsupported(`a mount of type "${request.Type}"`);
      throw invalidParameter(
        `invalid mount config for type "${request.Type}": mount type unknown`,
        'Types are bind, volume and tmpfs.',
      );
  }
}

interface Place {
  readonly target: string;
  readonly readOnly: boolean;
}

function bindMountOf(request: MountRequest, place: Place): BindMount {
  const source = request.Source ?? '';
  if (!isAbsolute(source)) {
    throw invalidParameter(
      `invalid mount config for type "bind": invalid mount path: '${source}' mount path must be absolute`,
    );
  }
  const asked = request.BindOptions?.Propagation;
  const propagation = PROPAGATIONS.find((word) => word === asked);
  if (asked && propagation === undefined) throw invalidParameter(`invalid propagation mode: ${asked}`);
  const options = request.BindOptions ?? {};
  if (options['ReadOnlyForceRecursive'] === true) throw unsupported('BindOptions.ReadOnlyForceRecursive');
  return {
    type: 'bind',
    source: cleaned(source),
    ...place,
    ...(options.CreateMountpoint === true ? { createSource: true } : {}),
    ...(options.NonRecursive === true ? { recursive: false } : {}),
    ...(propagation === undefined ? {} : { propagation }),
  };
}

function volumeMountOf(request: MountRequest, place: Place): PlannedMount {
  const name = request.Source ?? '';
  if (name !== '' && !VOLUME_NAME.test(name)) throw invalidVolumeName(name);
  const options = request.VolumeOptions ?? {};
  const subpath = options.Subpath ? subpathOf(options.Subpath) : undefined;
  const volume: VolumeRequest = {
    ...(name === '' ? {} : { name }),
    ...(options.Labels ? { labels: options.Labels } : {}),
    ...(options.DriverConfig?.Name ? { driver: options.DriverConfig.Name } : {}),
    ...(options.DriverConfig?.Options ? { options: options.DriverConfig.Options } : {}),
  };
  return {
    mount: {
      type: 'volume',
      name,
      ...place,
      noCopy: options.NoCopy ?? false,
      ...(subpath === undefined ? {} : { subpath }),
    },
    volume,
  };
}

/** Inside of the volume. @throws UserError `invalid-parameter` */
function subpathOf(text: string): string {
  if (!isAbsolute(text) && !text.split('/').includes('..')) return text;
  throw invalidParameter(`invalid mount config for type "volume": subpath must be a relative path within the volume`);
}

function tmpfsMountOf(request: MountRequest, target: string): MountSpec {
  if (request.Source)
    throw invalidParameter('invalid mount config for type "tmpfs": field Source must not be specified');
  const { SizeBytes, Mode, Options } = request.TmpfsOptions ?? {};
  const options = [...(request.ReadOnly === true ? ['ro'] : []), ...(Options ?? []).map(tmpfsWordOf)];
  return {
    type: 'tmpfs',
    target,
    ...(SizeBytes ? { sizeBytes: SizeBytes } : {}),
    ...(Mode ? { mode: Mode } : {}),
    ...(options.length > 0 ? { options } : {}),
  };
}

/** `TmpfsOptions.Options` (API 1.46): lists of a word and its value. */
function tmpfsWordOf([word = '']: readonly string[]): string {
  if (word === 'exec' || word === 'noexec') return word;
  throw invalidParameter(`invalid mount config for type "tmpfs": invalid option: ${word}`, 'One of exec, noexec.');
}

/** `docker run --tmpfs TARGET:size=64m,mode=1777`. */
function tmpfsOf(targetText: string, optionText: string): MountSpec {
  const target = targetOf(targetText, targetText);
  const options: string[] = [];
  let sizes: { sizeBytes?: number; mode?: number } = {};
  for (const option of optionText.split(',').filter((word) => word !== '')) {
    const [name, value = ''] = option.split('=', 2);
    const sizeBytes = name === 'size' ? sizeOf(value) : undefined;
    if (sizeBytes !== undefined) sizes = { ...sizes, sizeBytes };
    else if (name === 'mode' && /^[0-7]{3,4}$/.test(value)) sizes = { ...sizes, mode: Number.parseInt(value, 8) };
    else options.push(option);
  }
  return { type: 'tmpfs', target, ...sizes, ...(options.length === 0 ? {} : { options }) };
}

/** Bytes of `64m`, `1g`, `4096`; undefined for anything else. */
export function sizeOf(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kmgt]?)b?$/i.exec(text.trim());
  if (match === null) return undefined;
  const power = ['', 'k', 'm', 'g', 't'].indexOf((match[2] ?? '').toLowerCase());
  return Math.round(Number(match[1]) * 1024 ** power);
}

/** `CONTAINER[:ro|rw]`. */
function volumesFrom(text: string, inputs: MountInputs): readonly PlannedMount[] {
  const [container = '', mode = 'rw'] = text.split(':');
  if (!['ro', 'rw', 'z', 'Z'].includes(mode))
    throw invalidParameter(`invalid mode: ${mode} (in --volumes-from ${text})`);
  const shared = inputs.mountsOf(container).filter((mount) => mount.type !== 'tmpfs');
  return shared.map((mount) => ({ mount: { ...mount, readOnly: mount.readOnly || mode === 'ro' } }));
}

function targetOf(text: string, whole: string): string {
  if (!isAbsolute(text)) {
    throw invalidParameter(
      `invalid mount config: invalid mount path: '${text}' mount path must be absolute (in ${whole})`,
    );
  }
  const target = cleaned(text);
  if (target === '/') {
    const why = `invalid mount config for type "bind": invalid specification: destination can't be '/'`;
    throw invalidParameter(`invalid volume specification: '${whole}': ${why}`);
  }
  return target;
}

function cleaned(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 ? normal.replace(/\/+$/, '') : normal;
}

function invalidVolume(text: string) {
  return invalidParameter(`invalid volume specification: '${text}'`, 'Write it as SOURCE:TARGET[:OPTIONS].');
}

function invalidVolumeName(name: string) {
  return invalidParameter(
    `create ${name}: "${name}" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path`,
    'Name a volume, or give an absolute path.',
  );
}
