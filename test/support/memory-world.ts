import type { Fleet, FleetState, InstanceSpec, ObservedInstance } from '../../src/delivery/fleet/index.ts';
import type {
  Lane,
  PublishedPort,
  RouteShare,
  TcpTarget,
  Traffic,
  TrafficState,
} from '../../src/delivery/traffic/index.ts';

interface Instance {
  readonly spec: InstanceSpec;
  state: 'created' | 'running' | 'exited';
  exitCode: number;
  readonly networks: Map<string, string>;
}

const AT_ONCE = { fromMs: 0, untilMs: 0 };

/**
 * An engine and a proxy in memory, for what cannot be had of real ones: a crash of the daemon at every single call,
 * thousands of times. It checks at each change that whoever is routed to can carry the load.
 */
export class MemoryWorld {
  readonly instances = new Map<string, Instance>();
  readonly networks = new Map<string, number>();
  readonly volumes = new Set<string>();
  readonly images = new Map<string, string>();
  readonly lanes = new Map<string, Map<string, { address: string; port: number; isDraining: boolean }>>();
  readonly routes = new Map<string, RouteShare>();
  readonly tcpRoutes = new Map<string, readonly TcpTarget[]>();
  ports: PublishedPort[] = [];
  /** Instances of these images never become healthy. */
  readonly ill = new Set<string>();
  readonly violations: string[] = [];
  calls = 0;
  /** What each call was, for messages. */
  readonly trace: string[] = [];
  #nextAddress = 1;

  /** The ports of one life of the daemon: from its call number `dieAt` on nothing answers any more. */
  life(dieAt = Infinity, when: 'before' | 'after' = 'before'): { fleet: Fleet; traffic: Traffic; died: Promise<void> } {
    const { promise: died, resolve } = Promise.withResolvers<void>();
    const life: Life = { calls: 0, dieAt, when, isDead: false, die: resolve };
    return { fleet: this.#through(life, this.#fleet()), traffic: this.#through(life, this.#traffic()), died };
  }

  #through<T extends object>(life: Life, port: T): T {
    const never = new Promise<never>(() => {});
    const mutating = new Set(READING);
    return new Proxy(port, {
      get: (target, key) => {
        const value = Reflect.get(target, key) as unknown;
        if (typeof value !== 'function') return value;
        return (...given: unknown[]) => {
          if (key === 'events' || key === 'logs' || key === 'onRequests') return value.apply(target, given);
          if (life.isDead) return never;
          const isReading = mutating.has(String(key));
          if (!isReading && ++life.calls === life.dieAt) {
            life.isDead = true;
            if (life.when === 'after') void value.apply(target, given);
            life.die();
            return never;
          }
          this.calls++;
          if (!isReading) this.trace.push(`${String(key)} ${JSON.stringify(given[0])}`);
          return value.apply(target, given);
        };
      },
    });
  }

  #address(): string {
    const n = this.#nextAddress++;
    return `10.0.${n >> 8}.${n & 255}`;
  }

  #observed(name: string): ObservedInstance | undefined {
    const instance = this.instances.get(name);
    if (instance === undefined) return undefined;
    const { spec, state, exitCode, networks } = instance;
    const service = spec.labels['bascule.service'] ?? '';
    return {
      id: name,
      name,
      project: spec.labels['bascule.project'] ?? '',
      service,
      release: Number(spec.labels['bascule.release']),
      index: Number(spec.labels['bascule.instance']),
      identity: spec.labels['bascule.identity'] ?? '',
      labels: spec.labels,
      imageId: spec.imageId,
      state,
      ...(state === 'exited' ? { exitCode } : {}),
      oomKilled: false,
      health: state !== 'running' ? 'none' : this.ill.has(spec.imageId) ? 'unhealthy' : 'healthy',
      restarts: 0,
      startedAt: new Date(0),
      networks: [...networks.keys()],
      addresses: state === 'running' ? Object.fromEntries(networks) : {},
    };
  }

  #fleet(): Fleet {
    const need = (name: string): Instance => this.instances.get(name) ?? broken(`no instance ${name}`);
    const unsupported = (): never => broken('not in memory');
    return {
      kind: 'docker',
      info: async () => ({ engine: 'memory', version: '0', embedded: false }),
      observe: async (project): Promise<FleetState> => ({
        instances: [...this.instances.keys()]
          .map((name) => this.#observed(name)!)
          .filter((instance) => instance.project === project),
        networks: [...this.networks].map(([name, release]) => ({ name, release })),
        volumes: [...this.volumes],
      }),
      inspect: async (name) => this.#observed(name),
      buildImage: unsupported,
      resolveImage: async (reference) => ({ id: `sha256:${reference}`, sizeBytes: 1 }),
      findImage: async (reference) => ({ id: reference, sizeBytes: 1 }),
      tagImage: async (id, reference) => void this.images.set(reference, id),
      untagImage: async (reference) => void this.images.delete(reference),
      createNetwork: async ({ name, release }) => void this.networks.set(name, release),
      removeNetwork: async (name) => {
        for (const instance of this.instances.values()) instance.networks.delete(name);
        this.networks.delete(name);
      },
      connect: async (name, { network }) => {
        if (!this.networks.has(network)) broken(`no network ${network}`);
        const instance = need(name);
        if (!instance.networks.has(network)) instance.networks.set(network, this.#address());
      },
      disconnect: async (name, network) => void this.instances.get(name)?.networks.delete(network),
      createVolume: async ({ name }) => void this.volumes.add(name),
      removeVolume: async (name) => void this.volumes.delete(name),
      createInstance: async (spec) => {
        const there = this.instances.get(spec.name);
        if (there !== undefined) {
          if (there.spec.labels['bascule.identity'] !== spec.labels['bascule.identity'])
            broken(`conflict ${spec.name}`);
          return;
        }
        const networks = spec.network.mode === 'networks' ? spec.network.attachments : [];
        for (const { network } of networks) if (!this.networks.has(network)) broken(`no network ${network}`);
        const addresses = new Map(networks.map(({ network }) => [network, this.#address()]));
        this.instances.set(spec.name, { spec, state: 'created', exitCode: 0, networks: addresses });
      },
      startInstance: async (name) => {
        const instance = need(name);
        if (instance.state === 'running') return;
        this.#oneWriter(name, instance);
        for (const network of instance.networks.keys()) instance.networks.set(network, this.#address());
        instance.state = instance.spec.job ? 'exited' : 'running';
      },
      stopInstance: async (name) => {
        const instance = this.instances.get(name);
        if (instance?.state !== 'running') return;
        instance.state = 'exited';
        this.#check(`stop ${name}`);
      },
      removeInstance: async (name) => {
        this.instances.delete(name);
        this.#check(`remove ${name}`);
      },
      async *logs() {},
      exec: unsupported,
      events: (signal) => silentUntil(signal),
    };
  }

  /** Two instances never write to one volume at the same time. */
  #oneWriter(name: string, { spec }: Instance): void {
    const volumes = spec.mounts.flatMap((mount) => (mount.type === 'volume' && !mount.readOnly ? [mount.source] : []));
    for (const [other, { spec: theirs, state }] of this.instances) {
      if (other === name || state !== 'running') continue;
      const shared = theirs.mounts.some(
        (mount) => mount.type === 'volume' && !mount.readOnly && volumes.includes(mount.source),
      );
      if (shared) this.violations.push(`${name} and ${other} write to one volume`);
    }
  }

  #traffic(): Traffic {
    const lane = (id: string) => {
      const known = this.lanes.get(id) ?? new Map<string, { address: string; port: number; isDraining: boolean }>();
      this.lanes.set(id, known);
      return known;
    };
    return {
      ensure: async () => {},
      observe: async () => this.#trafficState(),
      addInstance: async (id, { name, address, port }) => {
        const known = lane(id).get(name);
        if (known !== undefined && known.address !== address) broken(`${name} is in ${id} with another address`);
        lane(id).set(name, { address, port, isDraining: false });
      },
      drainInstance: async (id, name) => {
        const server = lane(id).get(name);
        if (server !== undefined) server.isDraining = true;
        this.#check(`drain ${name}`);
      },
      undrainInstance: async (id, name) => {
        const server = lane(id).get(name);
        if (server !== undefined) server.isDraining = false;
      },
      sessions: async (ids) => new Map(ids.map((id) => [id, new Map([...lane(id).keys()].map((name) => [name, 0]))])),
      setPreview: async () => {},
      setRouteOptions: async () => {},
      certificates: () => [],
      certificateIssuers: () => new Map(),
      installCertificate: async () => {},
      removeCertificate: async () => {},
      setChallenge: async () => {},
      onRequests: () => () => {},
      closeSessions: async () => {},
      removeInstance: async (id, name) => {
        lane(id).delete(name);
        if (lane(id).size === 0) this.lanes.delete(id);
        this.#check(`remove ${name} from ${id}`);
      },
      setRoute: async (route, share) => {
        this.routes.set(route, share);
        this.#check(`route ${route}`);
        return AT_ONCE;
      },
      setRoutes: async (shares) => {
        for (const [route, share] of shares) this.routes.set(route, share);
        this.#check('routes');
        return AT_ONCE;
      },
      removeRoute: async (route) => {
        this.routes.delete(route);
        this.tcpRoutes.delete(route);
      },
      setTcpRoute: async (route, targets) => {
        this.tcpRoutes.set(route, targets);
        return AT_ONCE;
      },
      publishPort: async (port) => {
        if (!this.ports.some((known) => known.port === port.port)) this.ports.push(port);
        this.#check(`publish ${port.port}`);
      },
      unpublishPort: async (port) => {
        this.ports = this.ports.filter((known) => known.port !== port.port);
      },
      portHolder: async () => undefined,
      probeToken: () => 'token',
      counters: async () => ({
        lanes: new Map(),
        frontend: { connections: 0, sessions: 0, requests: 0, requestErrors: 0, unrouted: 0, bytesIn: 0, bytesOut: 0 },
        samples: { delivered: 0, dropped: 0 },
      }),
      close: async () => {},
      stop: async () => {},
    };
  }

  #trafficState(): TrafficState {
    const lanes: Lane[] = [...this.lanes].map(([id, servers]) => ({
      id,
      sessions: 0,
      instances: [...servers].map(([name, { address, port, isDraining }]) => ({
        name,
        address,
        port,
        sessions: 0,
        state: isDraining ? ('draining' as const) : ('up' as const),
      })),
    }));
    const { routes, tcpRoutes, ports } = this;
    return {
      pid: 1,
      lanes,
      laneCount: 64,
      routes: new Map(routes),
      tcpRoutes: new Map(tcpRoutes),
      publishedPorts: ports,
      previews: new Map(),
      routeOptions: new Map(),
      certificates: [],
    };
  }

  /** Every published route leads to lanes whose instances all run, are healthy, and are where the proxy looks. */
  #check(after: string): void {
    for (const { route, protocol } of this.ports) {
      if (protocol !== 'http') continue;
      const { stable = '', candidate = null, weight = 0 } = this.routes.get(route) ?? {};
      if (weight < 10_000) this.#checkLane(stable, `${route} after: ${after}`);
      if (candidate !== null && weight > 0) this.#checkLane(candidate, `${weight / 100} % of ${route} after: ${after}`);
    }
  }

  #checkLane(lane: string, what: string): void {
    const servers = [...(this.lanes.get(lane) ?? [])].filter(([, server]) => !server.isDraining);
    const able = servers.filter(([name, server]) => {
      const seen = this.#observed(name);
      const isThere = seen !== undefined && Object.values(seen.addresses).includes(server.address);
      return isThere && seen.health === 'healthy';
    });
    if (able.length === 0 || able.length < servers.length)
      this.violations.push(`${lane} has ${able.length} of ${servers.length} for ${what}`);
  }
}

/** Nothing ever happens by itself. */
async function* silentUntil(signal: AbortSignal): AsyncGenerator<never> {
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  yield* [];
}

const READING = [
  'observe',
  'inspect',
  'info',
  'findImage',
  'resolveImage',
  'portHolder',
  'counters',
  'probeToken',
  'ensure',
  'close',
];

interface Life {
  calls: number;
  readonly dieAt: number;
  readonly when: 'before' | 'after';
  isDead: boolean;
  die(): void;
}

function broken(what: string): never {
  throw new Error(`memory world: ${what}`);
}
