import type Docker from 'dockerode';
import type { NetworkAttachment } from '../instance-spec.ts';
import type { NetworkSpec, VolumeSpec } from '../names.ts';
import { call, callIfThere, callUnless } from './call.ts';
import { type Owner, ownerFilter } from './owner.ts';

/**
 * Engines allow several networks of one name, and a daemon that was killed may have asked for one that is made only
 * now: looks before and after, and keeps the oldest.
 */
export async function createNetwork(docker: Docker, owner: Owner, network: NetworkSpec): Promise<void> {
  if ((await networksNamed(docker, owner, network.name)).length === 0) await makeNetwork(docker, owner, network);
  const [, ...surplus] = await networksNamed(docker, owner, network.name);
  for (const { Id } of surplus) await removeById(docker, Id);
}

async function makeNetwork(docker: Docker, owner: Owner, network: NetworkSpec): Promise<void> {
  await callUnless([409], `create network ${network.name}`, () =>
    docker.createNetwork({
      Name: network.name,
      CheckDuplicate: true,
      Internal: network.internal,
      Attachable: true,
      Options: { ...network.options },
      ...(network.driver === undefined ? {} : { Driver: network.driver }),
      Labels: {
        ...network.labels,
        ...owner,
        'bascule.project': network.project,
        'bascule.release': String(network.release),
        'com.docker.compose.project': network.project,
        'com.docker.compose.network': network.key,
      },
    }),
  );
}

/** The oldest first. The engine's own filter finds parts of names too. */
async function networksNamed(
  docker: Docker,
  owner: Owner,
  name: string,
): Promise<readonly Docker.NetworkInspectInfo[]> {
  const found = await call('list networks', () =>
    docker.listNetworks({ filters: { name: [name], label: [...ownerFilter(owner)] } }),
  );
  return found.filter((network) => network.Name === name).toSorted((a, b) => (a.Created < b.Created ? -1 : 1));
}

export async function removeNetwork(docker: Docker, owner: Owner, name: string): Promise<void> {
  for (const { Id } of await networksNamed(docker, owner, name)) await removeById(docker, Id);
}

/** What is still attached is detached first: an engine refuses otherwise. */
async function removeById(docker: Docker, id: string): Promise<void> {
  const network = docker.getNetwork(id);
  const there = await callIfThere(`inspect network ${id}`, () => network.inspect());
  if (there === undefined) return;
  const attached = Object.keys((there as { Containers?: Record<string, unknown> }).Containers ?? {});
  for (const Container of attached) {
    await callUnless([404], `disconnect ${Container} from ${there.Name}`, () =>
      network.disconnect({ Container, Force: true }),
    );
  }
  await callUnless([404], `remove network ${there.Name}`, () => network.remove());
}

/** The engine says 403 for an endpoint that is there already; attachment is checked by looking. */
export async function connect(docker: Docker, instance: string, attachment: NetworkAttachment): Promise<void> {
  const info = await call(`inspect ${instance}`, () => docker.getContainer(instance).inspect());
  if (attachment.network in (info.NetworkSettings.Networks ?? {})) return;
  await call(`connect ${instance} to ${attachment.network}`, () =>
    docker.getNetwork(attachment.network).connect({
      Container: instance,
      EndpointConfig: { Aliases: [...attachment.aliases] },
    }),
  );
}

export async function disconnect(docker: Docker, instance: string, network: string): Promise<void> {
  const info = await callIfThere(`inspect ${instance}`, () => docker.getContainer(instance).inspect());
  if (info === undefined || !isOn(info, network)) return;
  await callUnless([404], `disconnect ${instance} from ${network}`, () =>
    docker.getNetwork(network).disconnect({ Container: instance, Force: true }),
  );
}

function isOn(info: Docker.ContainerInspectInfo, network: string): boolean {
  return network in (info.NetworkSettings.Networks ?? {});
}

export async function createVolume(docker: Docker, owner: Owner, volume: VolumeSpec): Promise<void> {
  await call(`create volume ${volume.name}`, () =>
    docker.createVolume({
      Name: volume.name,
      DriverOpts: { ...volume.options },
      ...(volume.driver === undefined ? {} : { Driver: volume.driver }),
      Labels: {
        ...volume.labels,
        ...owner,
        'bascule.project': volume.project,
        'com.docker.compose.project': volume.project,
        'com.docker.compose.volume': volume.key,
      },
    }),
  );
}

export async function removeVolume(docker: Docker, name: string): Promise<void> {
  await callUnless([404], `remove volume ${name}`, () => docker.getVolume(name).remove());
}
