import type { FileReference, Project, Service, ServiceVolume } from '../compose/index.ts';
import type { FilePlacement, Release } from '../release/index.ts';
import { attachmentsOf, instanceName } from './names.ts';

/** One instance, resolved: what the Compose file says, with real names of images, networks, volumes and files. */
export interface InstanceSpec {
  readonly name: string;
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Everything that needs no resolving is taken from here. */
  readonly service: Service;
  readonly readOnlyRoot: boolean;
  /** Runs once, to its end. */
  readonly job: boolean;
  readonly network:
    | { readonly mode: 'networks'; readonly attachments: readonly NetworkAttachment[] }
    | { readonly mode: 'host' }
    | { readonly mode: 'none' }
    | { readonly mode: 'instance'; readonly instance: string };
  readonly mounts: readonly InstanceMount[];
}

export interface NetworkAttachment {
  readonly network: string;
  /** Names by which others on this network find it. */
  readonly aliases: readonly string[];
}

export type InstanceMount =
  | {
      readonly type: 'bind';
      readonly source: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly createSource: boolean;
      readonly propagation?: string;
    }
  | {
      readonly type: 'volume';
      /** Absent: an anonymous volume. */
      readonly source?: string;
      readonly target: string;
      readonly readOnly: boolean;
      readonly noCopy: boolean;
    }
  | { readonly type: 'tmpfs'; readonly target: string; readonly sizeBytes?: number; readonly mode?: number };

export interface InstanceRequest {
  readonly release: Release;
  readonly service: string;
  /** Counts from 1. */
  readonly index: number;
  /** Where the file store puts a config or a secret. */
  pathOf(placement: FilePlacement): string;
}

/** The instance that a release says. Pure: the same release gives the same instance for ever. */
export function instanceSpecOf(request: InstanceRequest): InstanceSpec {
  const { release, service: name, index } = request;
  const service = release.model.services[name]!;
  const released = release.services[name]!;
  return {
    name: instanceName({ project: release.project, release: release.number, service: name, index }),
    imageId: released.imageId,
    labels: { ...service.labels, ...ownLabels(request) },
    service,
    readOnlyRoot: service.read_only ?? release.model.settings.readOnly ?? true,
    job: released.job,
    network: networkOf(release, name),
    mounts: [...mountsOf(service, release.model), ...fileMountsOf(request)],
  };
}

/** The files that the instances of a service need in place before they are created. */
export function placementsOf(release: Release, serviceName: string): readonly FilePlacement[] {
  return filesOf(release, serviceName).map((file) => file.placement);
}

function ownLabels({ release, service, index }: InstanceRequest): Record<string, string> {
  return {
    'bascule.project': release.project,
    'bascule.release': String(release.number),
    'bascule.service': service,
    'bascule.instance': String(index),
    'bascule.identity': release.services[service]!.identity,
    'com.docker.compose.project': release.project,
    'com.docker.compose.service': service,
    'com.docker.compose.container-number': String(index),
    'com.docker.compose.oneoff': 'False',
  };
}

function networkOf(release: Release, name: string): InstanceSpec['network'] {
  const mode = release.model.services[name]!.network_mode;
  if (mode === 'host' || mode === 'none') return { mode };
  if (mode?.startsWith('service:')) {
    const service = mode.slice('service:'.length);
    return {
      mode: 'instance',
      instance: instanceName({ project: release.project, release: release.number, service, index: 1 }),
    };
  }
  return { mode: 'networks', attachments: attachmentsOf(release.model, release.number, name) };
}

function mountsOf(service: Service, project: Project): readonly InstanceMount[] {
  const declared = (service.volumes ?? []).flatMap((mount) => mountOf(mount, project));
  const tmpfs = (service.tmpfs ?? []).map((text) => tmpfsOf(text));
  return [...declared, ...tmpfs];
}

function mountOf(mount: ServiceVolume, project: Project): readonly InstanceMount[] {
  const { target } = mount;
  const readOnly = mount.read_only ?? false;
  switch (mount.type) {
    case 'bind': {
      const propagation = mount.bind?.propagation;
      const createSource = mount.bind?.create_host_path ?? true;
      return [
        {
          type: 'bind',
          source: mount.source,
          target,
          readOnly,
          createSource,
          ...(propagation === undefined ? {} : { propagation }),
        },
      ];
    }
    case 'volume': {
      const noCopy = mount.volume?.nocopy ?? false;
      const source = mount.source === undefined ? undefined : volumeName(mount.source, project);
      return [{ type: 'volume', target, readOnly, noCopy, ...(source === undefined ? {} : { source }) }];
    }
    case 'tmpfs': {
      const { size, mode } = mount.tmpfs ?? {};
      return [
        {
          type: 'tmpfs',
          target,
          ...(size === undefined ? {} : { sizeBytes: Number(size) }),
          ...(mode === undefined ? {} : { mode }),
        },
      ];
    }
    default:
      return []; // npipe, cluster and image are refused when the project is loaded
  }
}

function volumeName(key: string, project: Project): string {
  return project.volumes[key]?.name ?? `${project.name}_${key}`;
}

/** `tmpfs: /x` or `/x:size=64m,mode=1770`. */
function tmpfsOf(text: string): InstanceMount {
  const [target = text, options = ''] = text.split(':', 2);
  const given = new Map(options.split(',').map((option) => option.split('=', 2) as [string, string | undefined]));
  const size = bytesOf(given.get('size'));
  const mode = given.get('mode');
  return {
    type: 'tmpfs',
    target,
    ...(size === undefined ? {} : { sizeBytes: size }),
    ...(mode === undefined ? {} : { mode: Number.parseInt(mode, 8) }),
  };
}

function bytesOf(text: string | undefined): number | undefined {
  const match = /^(\d+)([kmg]?)b?$/i.exec(text ?? '');
  if (match === null) return undefined;
  const unit = { '': 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 }[match[2]!.toLowerCase()] ?? 1;
  return Number(match[1]) * unit;
}

function fileMountsOf(request: InstanceRequest): readonly InstanceMount[] {
  return filesOf(request.release, request.service).map(({ placement, target }) => ({
    type: 'bind',
    source: request.pathOf(placement),
    target,
    readOnly: true,
    createSource: false,
  }));
}

interface PlacedFile {
  readonly placement: FilePlacement;
  readonly target: string;
}

function filesOf(release: Release, serviceName: string): readonly PlacedFile[] {
  const service = release.model.services[serviceName]!;
  const configs = (service.configs ?? []).map((reference) =>
    placedFile(release, { reference, key: `configs/${reference.source}`, folder: '/' }),
  );
  const secrets = (service.secrets ?? []).map((reference) =>
    placedFile(release, { reference, key: `secrets/${reference.source}`, folder: '/run/secrets/' }),
  );
  return [...configs, ...secrets];
}

function placedFile(
  release: Release,
  { reference, key, folder }: { readonly reference: FileReference; readonly key: string; readonly folder: string },
): PlacedFile {
  const target = reference.target ?? reference.source;
  return {
    target: target.startsWith('/') ? target : `${folder}${target}`,
    placement: {
      version: release.files[key]!.version,
      uid: Number(reference.uid ?? 0),
      gid: Number(reference.gid ?? 0),
      mode: reference.mode === undefined ? 0o444 : Number.parseInt(reference.mode, 8),
    },
  };
}
