import type Docker from 'dockerode';
import type { FleetState, Health, ObservedInstance } from '../fleet.ts';
import { call, callIfThere } from './call.ts';
import { isOwn, type Owner, ownerFilter } from './owner.ts';

/** What an engine has of one project. */
export async function observeProject(docker: Docker, owner: Owner, project: string): Promise<FleetState> {
  const filters = { label: [`bascule.project=${project}`, ...ownerFilter(owner)] };
  const [containers, networks, volumes] = await Promise.all([
    call('list containers', () => docker.listContainers({ all: true, filters })),
    call('list networks', () => docker.listNetworks({ filters })),
    call('list volumes', () => docker.listVolumes({ filters })),
  ]);
  const instances = await Promise.all(containers.map((container) => inspectInstance(docker, owner, container.Id)));
  return {
    instances: instances.filter((instance) => instance !== undefined).toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    networks: networks
      .map((network) => ({ name: network.Name, release: Number(network.Labels?.['bascule.release'] ?? 0) }))
      .toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    volumes: (volumes.Volumes ?? []).map((volume) => volume.Name).toSorted(),
  };
}

/** One container, if it is an instance of this daemon's. */
export async function inspectInstance(
  docker: Docker,
  owner: Owner,
  nameOrId: string,
): Promise<ObservedInstance | undefined> {
  const info = await callIfThere(`inspect ${nameOrId}`, () => docker.getContainer(nameOrId).inspect());
  if (info === undefined || !isOwn(info.Config.Labels, owner)) return undefined;
  return instanceOf(info);
}

function instanceOf(info: Docker.ContainerInspectInfo): ObservedInstance {
  const labels = info.Config.Labels;
  const { State: state } = info;
  const endpoints = Object.entries(info.NetworkSettings.Networks ?? {});
  const hasEnded = state.Status === 'exited' || state.Status === 'dead' || state.Status === 'restarting';
  return {
    id: info.Id,
    name: info.Name.replace(/^\//, ''),
    project: labels['bascule.project'] ?? '',
    service: labels['bascule.service'] ?? '',
    release: Number(labels['bascule.release'] ?? 0),
    index: Number(labels['bascule.instance'] ?? 0),
    identity: labels['bascule.identity'] ?? '',
    labels,
    imageId: info.Image,
    state: state.Status as ObservedInstance['state'],
    ...(hasEnded ? { exitCode: state.ExitCode } : {}),
    oomKilled: state.OOMKilled,
    ...(state.Error === '' ? {} : { error: state.Error }),
    ...healthOf(state),
    restarts: info.RestartCount,
    ...(state.StartedAt.startsWith('0001') ? {} : { startedAt: new Date(state.StartedAt) }),
    networks: endpoints.map(([name]) => name).toSorted(),
    addresses: Object.fromEntries(
      endpoints.flatMap(([name, endpoint]) => (endpoint.IPAddress ? [[name, endpoint.IPAddress]] : [])),
    ),
  };
}

function healthOf(state: Docker.ContainerInspectInfo['State']): { health: Health; healthOutput?: string } {
  const health = state.Health;
  if (health === undefined || health === null) return { health: 'none' };
  const output = health.Log?.at(-1)?.Output?.trim();
  return {
    health: health.Status as Health,
    ...(output === undefined || output === '' ? {} : { healthOutput: output }),
  };
}
