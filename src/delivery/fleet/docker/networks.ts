import type Docker from 'dockerode';
import type { NetworkSpec, VolumeSpec } from '../fleet.ts';
import type { NetworkAttachment } from '../instance-spec.ts';
import { call, callIfThere, callUnless } from './call.ts';

/** Engines allow several networks of one name: looks first. */
export async function createNetwork(docker: Docker, network: NetworkSpec): Promise<void> {
  const there = await callIfThere(`inspect network ${network.name}`, () => docker.getNetwork(network.name).inspect());
  if (there !== undefined) return;
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
        'bascule.project': network.project,
        'bascule.release': String(network.release),
        'com.docker.compose.project': network.project,
        'com.docker.compose.network': network.key,
      },
    }),
  );
}

/** What is still attached is detached first: an engine refuses otherwise. */
export async function removeNetwork(docker: Docker, name: string): Promise<void> {
  const there = await callIfThere(`inspect network ${name}`, () => docker.getNetwork(name).inspect());
  if (there === undefined) return;
  const attached = Object.keys((there as { Containers?: Record<string, unknown> }).Containers ?? {});
  for (const container of attached) await disconnect(docker, container, name);
  await callUnless([404], `remove network ${name}`, () => docker.getNetwork(name).remove());
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

export async function createVolume(docker: Docker, volume: VolumeSpec): Promise<void> {
  await call(`create volume ${volume.name}`, () =>
    docker.createVolume({
      Name: volume.name,
      DriverOpts: { ...volume.options },
      ...(volume.driver === undefined ? {} : { Driver: volume.driver }),
      Labels: {
        ...volume.labels,
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
