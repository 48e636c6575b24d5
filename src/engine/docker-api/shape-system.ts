import type { Rooms } from './rooms.ts';
import { API_VERSION, OLDEST_API_VERSION, speaksAtLeast } from './versions.ts';

/** `GET /version`. Clients that are Bascule's own know the engine by the first component's name. */
export function versionOf({ host, runtime }: Pick<Rooms, 'host' | 'runtime'>): object {
  const common = {
    ApiVersion: API_VERSION,
    MinAPIVersion: OLDEST_API_VERSION,
    Os: 'linux',
    Arch: host.architecture,
    KernelVersion: host.kernelVersion,
  };
  return {
    Platform: { Name: 'Bascule' },
    Components: [
      { Name: 'Bascule', Version: host.version, Details: common },
      { Name: runtime.info().defaultRuntime, Version: '', Details: {} },
    ],
    Version: host.version,
    ...common,
    GitCommit: '',
    GoVersion: '',
    BuildTime: '',
  };
}

/** `GET /info` (API 1.51, SystemInfo; older clients get what they know). */
export function infoOf(
  rooms: Pick<Rooms, 'host' | 'runtime' | 'images'>,
  o: { readonly now: Date; readonly apiVersion: string },
): object {
  return {
    ...countsOf(rooms),
    ...machineOf(rooms, o.now),
    ...engineOf(rooms, o.apiVersion),
    ...oldFieldsOf(o.apiVersion),
  };
}

function countsOf({ runtime, images }: Pick<Rooms, 'runtime' | 'images'>): object {
  const containers = runtime.list();
  const count = (...statuses: readonly string[]): number =>
    containers.filter(({ state }) => statuses.includes(state.status)).length;
  const running = count('running', 'restarting');
  const paused = count('paused');
  return {
    Containers: containers.length,
    ContainersRunning: running,
    ContainersPaused: paused,
    ContainersStopped: containers.length - running - paused,
    Images: images.list().length,
  };
}

function machineOf({ host, runtime }: Pick<Rooms, 'host' | 'runtime'>, now: Date): object {
  return {
    Name: host.hostname,
    NCPU: host.onlineCpus,
    MemTotal: host.memoryBytes,
    KernelVersion: host.kernelVersion,
    OperatingSystem: host.operatingSystem,
    OSVersion: host.operatingSystemVersion,
    OSType: 'linux',
    Architecture: unameOf(host.architecture),
    CgroupDriver: 'cgroupfs',
    CgroupVersion: String(runtime.info().cgroupVersion),
    SystemTime: now.toISOString(),
    MemoryLimit: true,
    SwapLimit: true,
    CpuCfsPeriod: true,
    CpuCfsQuota: true,
    CPUShares: true,
    CPUSet: true,
    PidsLimit: true,
    OomKillDisable: runtime.info().cgroupVersion === 1,
    IPv4Forwarding: true,
  };
}

function oldFieldsOf(apiVersion: string): object {
  return {
    ...(speaksAtLeast({ apiVersion }, '1.42') ? {} : { KernelMemory: false }),
    ...(speaksAtLeast({ apiVersion }, '1.50') ? {} : { BridgeNfIptables: true, BridgeNfIp6tables: true }),
  };
}

function registryConfigOf(apiVersion: string): object {
  return {
    ...(speaksAtLeast({ apiVersion }, '1.47')
      ? {}
      : { AllowNondistributableArtifactsCIDRs: null, AllowNondistributableArtifactsHostnames: null }),
    InsecureRegistryCIDRs: ['::1/128', '127.0.0.0/8'],
    IndexConfigs: { 'docker.io': { Name: 'docker.io', Mirrors: [], Secure: true, Official: true } },
    Mirrors: null,
  };
}

function unameOf(architecture: string): string {
  return { amd64: 'x86_64', arm64: 'aarch64' }[architecture] ?? architecture;
}

function engineOf({ host, runtime }: Pick<Rooms, 'host' | 'runtime'>, apiVersion: string): object {
  const { runtimes, defaultRuntime, initBinary } = runtime.info();
  return {
    ID: host.id,
    ServerVersion: host.version,
    DockerRootDir: host.directory,
    Driver: 'overlay2',
    DriverStatus: [['Supports d_type', 'true']],
    Plugins: {
      Volume: ['local'],
      Network: ['bridge', 'host', 'null'],
      Authorization: null,
      Log: ['json-file', 'local'],
    },
    LoggingDriver: 'json-file',
    Debug: false,
    ExperimentalBuild: false,
    IndexServerAddress: 'https://index.docker.io/v1/',
    CDISpecDirs: [],
    ...(speaksAtLeast({ apiVersion }, '1.49') ? { FirewallBackend: { Driver: 'nftables' } } : {}),
    RegistryConfig: registryConfigOf(apiVersion),
    GenericResources: null,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Labels: [],
    Runtimes: Object.fromEntries(runtimes.map((name) => [name, { path: name }])),
    DefaultRuntime: defaultRuntime,
    InitBinary: initBinary,
    Swarm: {
      NodeID: '',
      NodeAddr: '',
      LocalNodeState: 'inactive',
      ControlAvailable: false,
      Error: '',
      RemoteManagers: null,
    },
    LiveRestoreEnabled: true,
    Isolation: '',
    ContainerdCommit: { ID: '' },
    RuncCommit: { ID: '', ...(speaksAtLeast({ apiVersion }, '1.49') ? {} : { Expected: '' }) },
    InitCommit: { ID: '' },
    SecurityOptions: ['name=seccomp,profile=default'],
    Warnings: null,
  };
}
