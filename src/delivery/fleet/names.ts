import type { Network, Project, Service } from '../compose/index.ts';

export interface NetworkSpec {
  readonly name: string;
  readonly project: string;
  readonly release: number;
  /** Key in the Compose file. */
  readonly key: string;
  readonly internal: boolean;
  readonly driver?: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

export interface VolumeSpec {
  readonly name: string;
  readonly project: string;
  readonly key: string;
  readonly driver?: string;
  readonly options: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

interface ReleaseName {
  readonly project: string;
  readonly release: number;
}

/** `<project>-<service>-r<N>-<i>`: stable, and unique on the machine. `index` counts from 1. */
export function instanceName(o: ReleaseName & { readonly service: string; readonly index: number }): string {
  return `${o.project}-${o.service}-r${o.release}-${o.index}`;
}

/** The name under which a release keeps its image: `<project>-<service>:r<N>`. */
export function imageNameOf(o: ReleaseName & { readonly service: string }): string {
  return `${builtImageName(o.project, o.service)}:r${o.release}`;
}

/** What Compose calls an image that it builds and that has no name: `<project>-<service>`, in lower case. */
export function builtImageName(project: string, service: string): string {
  return `${project}-${service}`.toLowerCase();
}

/** `<project>-r<N>` for the default network, `<project>-r<N>-<key>` for each other one of the Compose file. */
function networkName(o: ReleaseName, key: string): string {
  return key === 'default' ? `${o.project}-r${o.release}` : `${o.project}-r${o.release}-${key}`;
}

/** The private networks of a release: one for each network of the Compose file that a service uses. */
export function networksOf(project: Project, release: number): readonly NetworkSpec[] {
  const used = new Set(Object.values(project.services).flatMap((service) => networkKeysOf(service)));
  return [...used]
    .sort()
    .filter((key) => project.networks[key]?.external !== true)
    .map((key) => networkSpec({ project: project.name, release }, key, project.networks[key]));
}

function networkSpec(owner: ReleaseName, key: string, network: Network | undefined): NetworkSpec {
  return {
    name: networkName(owner, key),
    project: owner.project,
    release: owner.release,
    key,
    internal: network?.internal ?? false,
    ...(network?.driver === undefined ? {} : { driver: network.driver }),
    options: network?.driver_opts ?? {},
    labels: network?.labels ?? {},
  };
}

/**
 * What a service's instances are attached to in a release, and how they are called there. On networks of others
 * (`external`) they have only the aliases that the Compose file gives: service names there would mix releases.
 */
export function attachmentsOf(
  project: Project,
  release: number,
  serviceName: string,
): readonly { readonly network: string; readonly aliases: readonly string[] }[] {
  const service = project.services[serviceName]!;
  return networkKeysOf(service).map((key) => {
    const network = project.networks[key];
    const given = service.networks?.[key]?.aliases ?? [];
    if (network?.external === true) return { network: network.name, aliases: given };
    const called = service.container_name === undefined ? [] : [service.container_name];
    return {
      network: networkName({ project: project.name, release }, key),
      aliases: [...new Set([serviceName, ...called, ...given])],
    };
  });
}

/**
 * The network on which traffic reaches the instances of a service that release `origin` created: the first in the
 * alphabet that is not internal, else the first.
 */
export function primaryNetwork(project: Project, origin: number, serviceName: string): string | undefined {
  const keys = networkKeysOf(project.services[serviceName]!).toSorted();
  const open = keys.find((key) => project.networks[key]?.internal !== true) ?? keys[0];
  if (open === undefined) return undefined;
  const network = project.networks[open];
  return network?.external === true ? network.name : networkName({ project: project.name, release: origin }, open);
}

/** Keys of the networks that a service is on; none when it has a network mode of its own. */
function networkKeysOf(service: Service): readonly string[] {
  if (service.network_mode !== undefined && service.network_mode !== 'bridge') return [];
  const keys = Object.keys(service.networks ?? {});
  return keys.length === 0 ? ['default'] : keys;
}

/** The named volumes that the project's services use and that Bascule makes; external ones must exist. */
export function volumesOf(project: Project): readonly VolumeSpec[] {
  const used = new Set(
    Object.values(project.services).flatMap((service) =>
      (service.volumes ?? []).flatMap((mount) =>
        mount.type === 'volume' && mount.source !== undefined ? [mount.source] : [],
      ),
    ),
  );
  return [...used].sort().flatMap((key) => {
    const volume = project.volumes[key];
    if (volume?.external === true) return [];
    return {
      name: volume?.name ?? `${project.name}_${key}`,
      project: project.name,
      key,
      ...(volume?.driver === undefined ? {} : { driver: volume.driver }),
      options: volume?.driver_opts ?? {},
      labels: volume?.labels ?? {},
    };
  });
}
