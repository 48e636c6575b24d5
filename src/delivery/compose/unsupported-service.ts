import { isRemote } from './paths.ts';
import type { Build, Deploy, LifecycleHook, Logging, Port, Service, ServiceNetwork, ServiceVolume } from './service.ts';

/** One thing that Compose knows and Bascule cannot run yet. */
export interface Unsupported {
  /** `services.web.ipc` */
  readonly path: string;
  readonly reason: string;
}

/** Service keys that are run (perhaps with limits, below), or that say nothing about a running release. */
const RUN = new Set(
  `image build command entrypoint environment ports expose volumes tmpfs networks depends_on healthcheck deploy scale
  user working_dir read_only cap_add cap_drop security_opt stop_signal stop_grace_period labels configs secrets profiles
  init hostname domainname extra_hosts dns dns_search sysctls ulimits shm_size mem_limit mem_reservation memswap_limit
  cpus cpu_shares cpu_quota cpu_period cpuset pids_limit restart logging tty stdin_open privileged group_add devices
  links pull_policy attach develop post_start pre_stop settings`.split(/\s+/),
);

const BUILD = new Set(
  `context dockerfile dockerfile_inline target args labels network no_cache tags extra_hosts shm_size`.split(' '),
);

const REASONS: Readonly<Record<string, string>> = {
  container_name:
    'fixed container names: instances of two releases stand side by side; other services reach this one by its service name',
  network_mode: 'network modes; leave it out to join networks',
  platform: "images of another platform than the machine's",
};

/** What a service uses that cannot be run yet. */
export function unsupportedInService(name: string, service: Service): readonly Unsupported[] {
  const path = `services.${name}`;
  return [
    ...unknownTo(RUN, service, path),
    ...(service.build === undefined ? [] : inBuild(service.build, `${path}.build`)),
    ...(service.ports ?? []).flatMap((port, index) => inPort(port, `${path}.ports[${index}]`)),
    ...(service.volumes ?? []).flatMap((volume, index) => inMount(volume, `${path}.volumes[${index}]`)),
    ...Object.entries(service.networks ?? {}).flatMap(([key, network]) =>
      inNetwork(network, `${path}.networks.${key}`),
    ),
    ...(service.deploy === undefined ? [] : inDeploy(service.deploy, `${path}.deploy`)),
    ...(service.logging === undefined ? [] : inLogging(service.logging, `${path}.logging`)),
    ...(service.security_opt ?? []).flatMap((option, index) => inSecurity(option, `${path}.security_opt[${index}]`)),
    ...(service.links ?? []).flatMap((link, index) =>
      link.includes(':')
        ? [{ path: `${path}.links[${index}]`, reason: 'links under another name; use networks.<name>.aliases' }]
        : [],
    ),
    ...inPullPolicy(service.pull_policy, `${path}.pull_policy`),
    ...inHooks(service.post_start, `${path}.post_start`),
    ...inHooks(service.pre_stop, `${path}.pre_stop`),
  ];
}

function unknownTo(known: ReadonlySet<string>, object: object, path: string): readonly Unsupported[] {
  return Object.entries(object)
    .filter(([key, value]) => value !== null && !known.has(key) && !key.startsWith('x-'))
    .map(([key]) => ({ path: `${path}.${key}`, reason: REASONS[key] ?? `the key "${key}"` }));
}

function inBuild(build: Build, path: string): readonly Unsupported[] {
  const remote = isRemote(build.context) ? [{ path: `${path}.context`, reason: 'remote build contexts' }] : [];
  return [...unknownTo(BUILD, build, path), ...remote];
}

function inPort(port: Port, path: string): readonly Unsupported[] {
  const published = port.published ?? '';
  if (port.protocol === 'sctp') return [{ path, reason: 'SCTP' }];
  if (published === '' || published === '0')
    return [{ path, reason: 'host ports chosen by the machine; write HOST:CONTAINER' }];
  return published.includes('-') ? [{ path, reason: 'a host port out of a range; write one host port' }] : [];
}

function inMount(volume: ServiceVolume, path: string): readonly Unsupported[] {
  switch (volume.type) {
    case 'bind':
      return volume.bind?.recursive === undefined ? [] : [{ path, reason: 'bind.recursive' }];
    case 'volume':
      return volume.volume?.subpath === undefined ? [] : [{ path, reason: 'volume.subpath' }];
    case 'tmpfs':
      return [];
    case 'npipe':
    case 'cluster':
    case 'image':
      return [{ path, reason: `mounts of type "${volume.type}"` }];
  }
}

function inNetwork(network: ServiceNetwork | null, path: string): readonly Unsupported[] {
  return unknownTo(new Set(['aliases']), network ?? {}, path);
}

function inDeploy(deploy: Deploy, path: string): readonly Unsupported[] {
  const found: Unsupported[] = [];
  if (deploy.mode !== undefined && deploy.mode !== 'replicated')
    found.push({ path: `${path}.mode`, reason: `the mode "${deploy.mode}"` });
  if (deploy.endpoint_mode === 'dnsrr')
    found.push({ path: `${path}.endpoint_mode`, reason: 'the endpoint mode "dnsrr"' });
  if (Object.keys(deploy.placement).length > 0)
    found.push({ path: `${path}.placement`, reason: 'placement on several machines' });
  const { devices, generic_resources } = deploy.resources.reservations ?? {};
  const reservations = `${path}.resources.reservations`;
  if (devices !== undefined) found.push({ path: `${reservations}.devices`, reason: 'device reservations' });
  if (generic_resources !== undefined)
    found.push({ path: `${reservations}.generic_resources`, reason: 'generic resources' });
  return found;
}

function inLogging({ driver, options = {} }: Logging, path: string): readonly Unsupported[] {
  if (driver !== undefined && !['json-file', 'local', 'none'].includes(driver)) {
    return [{ path: `${path}.driver`, reason: `the log driver "${driver}"; json-file, local and none are supported` }];
  }
  return Object.keys(options)
    .filter((option) => option !== 'max-size' && option !== 'max-file')
    .map((option) => ({ path: `${path}.options.${option}`, reason: `the log option "${option}"` }));
}

function inSecurity(option: string, path: string): readonly Unsupported[] {
  const runs = /^(?:no-new-privileges(?:[:=](?:true|false))?|seccomp[:=]unconfined)$/.test(option);
  return runs ? [] : [{ path, reason: `the security option "${option}"` }];
}

function inHooks(hooks: readonly LifecycleHook[] | undefined, path: string): readonly Unsupported[] {
  return (hooks ?? []).flatMap(({ privileged }, index) =>
    privileged === true
      ? [{ path: `${path}[${index}].privileged`, reason: 'privileged hooks; a hook has the rights of its service' }]
      : [],
  );
}

/** The others ask again after some time: a release is resolved once. */
const PULL_POLICIES: ReadonlySet<string> = new Set(['missing', 'always', 'never', 'build']);

function inPullPolicy(policy: string | undefined, path: string): readonly Unsupported[] {
  if (policy === undefined || PULL_POLICIES.has(policy)) return [];
  return [{ path, reason: `the pull policy "${policy}"` }];
}
