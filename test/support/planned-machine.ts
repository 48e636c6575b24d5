import {
  defaultSettings,
  type Port,
  portProtocol,
  type Project,
  type ProjectSettings,
  type Service,
  type StrategyName,
  type UpdateConfig,
} from '../../src/delivery/compose/index.ts';
import { type NewRelease, identitiesOf, type Release } from '../../src/delivery/release/index.ts';
import type { DeployInput, Observed, Plan, PlannedPort } from '../../src/delivery/rollout/plan/plan.ts';
import { EMPTY_STANDING, liveReleases, type Standing } from '../../src/delivery/rollout/plan/standing.ts';
import type { Step, TcpShare } from '../../src/delivery/rollout/plan/step.ts';
import { planDeploy } from '../../src/delivery/rollout/plan/strategy.ts';
import type { RouteOptions, RouteShare } from '../../src/delivery/traffic/index.ts';

/** One service of a project that is made up: what matters to a planner. */
export interface SketchedService {
  /** Another number: another image. */
  readonly image: number;
  readonly replicas: number;
  readonly published: boolean;
  /** Writes to the volume of its name. */
  readonly stateful: boolean;
  readonly needs: readonly string[];
  /** Its port is forwarded by the kernel instead of the proxy. */
  readonly tcp?: boolean;
  readonly update?: UpdateConfig;
  /** More of the Compose file. */
  readonly more?: Partial<Service>;
}
export type Sketch = Readonly<Record<string, SketchedService>>;

/** One side of a port's traffic. */
export interface Serving {
  /** Part of the traffic, 0 to 1. */
  readonly share: number;
  /** Who takes new requests. */
  readonly names: readonly string[];
}

function projectFrom(sketch: Sketch, settings: Partial<ProjectSettings>): Project {
  const services = Object.entries(sketch).map(([name, each], index): [string, Service] => [
    name,
    {
      image: `${name}:${each.image}`,
      command: null,
      entrypoint: null,
      networks: { default: null },
      settings: {},
      scale: each.replicas,
      ...(each.published ? { ports: [portOf(each, index)] } : {}),
      ...(each.update === undefined
        ? {}
        : { deploy: { resources: {}, placement: {}, update_config: each.update, rollback_config: each.update } }),
      ...each.more,
      ...(each.stateful ? { volumes: [{ type: 'volume', source: name, target: '/data' }] } : {}),
      depends_on: Object.fromEntries(
        each.needs.map((needed) => [needed, { condition: 'service_healthy' as const, required: true }]),
      ),
    },
  ]);
  const volumes = Object.entries(sketch).flatMap(([name, { stateful }]) =>
    stateful ? [[name, { name: `p_${name}` }]] : [],
  );
  return {
    name: 'p',
    services: Object.fromEntries(services),
    networks: { default: { name: 'p_default', ipam: {} } },
    volumes: Object.fromEntries(volumes) as Project['volumes'],
    configs: {},
    secrets: {},
    models: {},
    extensions: {},
    settings: { ...defaultSettings(), keepMs: 1, drainMs: 1, healthTimeoutMs: 1, rollbackWindow: 5, ...settings },
  };
}

function portOf({ tcp = false }: SketchedService, index: number): Port {
  const port = { target: 80, published: String(8_000 + index), protocol: 'tcp' } as const;
  return tcp ? { ...port, app_protocol: 'tcp' } : port;
}

interface PlanOptions {
  readonly kind?: 'deploy' | 'rollback';
  readonly force?: boolean;
  readonly strategy?: StrategyName;
}

/** A machine that carries out plans by the book: what stands where after each wave. */
export class PlannedMachine {
  readonly releases = new Map<number, Release>();
  standing: Standing = EMPTY_STANDING;
  readonly running = new Set<string>();
  readonly healthy = new Set<string>();
  readonly networks = new Map<string, Set<string>>();
  readonly volumes = new Set<string>();
  readonly lanes = new Map<string, Set<string>>();
  /** `<lane>/<instance>` of those that take no new requests. */
  readonly draining = new Set<string>();
  readonly routes = new Map<string, RouteShare>();
  readonly tcpRoutes = new Map<string, readonly TcpShare[]>();
  readonly options = new Map<string, RouteOptions>();
  readonly previews = new Map<string, string>();
  readonly ports = new Map<number, PlannedPort>();
  readonly created = new Map<string, { service: string; release: number }>();
  rollout = 0;
  laneCount = 200;
  /** What is said of the state before may be wrong then: of steps that were not done. */
  undoing = false;

  releaseOf(sketch: Sketch, settings: Partial<ProjectSettings> = {}): Release {
    const project = projectFrom(sketch, settings);
    const images = Object.fromEntries(
      Object.entries(sketch).map(([name, { image }]) => [name, `sha256:${name}${image}`]),
    );
    const identities = identitiesOf({ project, images, files: {} });
    const services = Object.keys(sketch).map((name) => [
      name,
      { name, imageId: images[name]!, imageSource: `${name}:x`, ...identities[name]! },
    ]);
    const release: NewRelease = {
      project: 'p',
      author: 'test',
      model: project,
      services: Object.fromEntries(services),
      files: {},
    };
    return { ...release, number: this.releases.size + 1, createdAt: new Date(0) };
  }

  planDeploy(target: Release, o: PlanOptions = {}): Plan {
    return planDeploy(this.inputFor(target, o));
  }

  inputFor(target: Release, o: PlanOptions = {}): DeployInput {
    const live = liveReleases(this.standing).map(({ release }) => release);
    const ports = Object.entries(target.model.services).flatMap(([service, model]) =>
      (model.ports ?? []).map((port): PlannedPort => {
        const [number, protocol] = [Number(port.published), portProtocol(port, model)];
        const match = model.settings.route ?? {};
        return { port: number, protocol, route: `p/${service}/${port.target}`, service, target: port.target, ...match };
      }),
    );
    const used = new Set([...this.lanes.keys(), ...[...this.routes.values()].map(({ stable }) => stable)]);
    return {
      kind: o.kind ?? 'deploy',
      rollout: ++this.rollout,
      target,
      standing: this.standing,
      releases: new Map(live.map((number) => [number, this.releases.get(number)!])),
      observed: this.observed(),
      ports,
      freeLanes: Array.from({ length: this.laneCount }, (_, n) => `lane-${n}`).filter((lane) => !used.has(lane)),
      force: o.force ?? false,
      ...(o.strategy === undefined ? {} : { strategy: o.strategy }),
    };
  }

  observed(): Observed {
    const instances = [...this.created].map(([name, { service, release }]) => {
      const networks = [...this.networks].flatMap(([network, members]) => (members.has(name) ? [network] : []));
      return {
        id: name,
        name,
        project: 'p',
        service,
        release,
        index: 1,
        identity: '',
        labels: {},
        imageId: '',
        state: this.running.has(name) ? ('running' as const) : ('exited' as const),
        exitCode: 0,
        oomKilled: false,
        health: this.healthy.has(name) ? ('healthy' as const) : ('none' as const),
        restarts: 0,
        networks,
        addresses: Object.fromEntries(networks.map((network) => [network, `${name}@${network}`])),
      };
    });
    const lanes = [...this.lanes].map(([id, names]) => ({
      id,
      sessions: 0,
      instances: [...names].map((name) => ({
        name,
        address: `${name}@p-r${this.created.get(name)?.release}`,
        port: 80,
        state: 'up' as const,
        sessions: 0,
      })),
    }));
    const publishedPorts = [...this.ports.values()].map(({ service: _, target: __, ...port }) => port);
    const tcpRoutes = new Map(
      [...this.tcpRoutes].map(([route, sides]) => [
        route,
        sides.flatMap((side) =>
          side.instances
            .filter((name) => this.running.has(name))
            .map((name) => ({ address: `${name}@${side.network}`, port: 80 })),
        ),
      ]),
    );
    return {
      fleet: {
        instances,
        networks: [...this.networks.keys()].map((name) => ({ name, release: Number(/-r(\d+)/.exec(name)?.[1]) })),
        volumes: [...this.volumes],
      },
      traffic: { routes: this.routes, tcpRoutes, publishedPorts, lanes, routeOptions: this.options },
    };
  }

  /** One step by the book. @throws when the plan asks for something that cannot be */
  act(step: Step): void {
    const need = (claim: boolean, what: string): void => {
      if (!claim) throw new Error(`${what}: ${JSON.stringify(step)}`);
    };
    switch (step.kind) {
      case 'create-network':
        this.networks.set(step.network.name, new Set());
        return;
      case 'remove-network':
        this.networks.delete(step.network);
        return;
      case 'create-volume':
        this.volumes.add(step.volume.name);
        return;
      case 'create-instance': {
        need(!this.created.has(step.instance), 'is there already');
        const network = this.networks.get(`p-r${step.release}`);
        need(network !== undefined, 'no network');
        this.created.set(step.instance, { service: step.service, release: step.release });
        network!.add(step.instance);
        return;
      }
      case 'remove-instance':
        this.created.delete(step.instance);
        for (const members of this.networks.values()) members.delete(step.instance);
        this.running.delete(step.instance);
        this.healthy.delete(step.instance);
        return;
      case 'connect-network':
        need(this.networks.has(step.network) && this.created.has(step.instance), 'nothing to connect');
        this.networks.get(step.network)!.add(step.instance);
        return;
      case 'disconnect-network':
        this.networks.get(step.network)?.delete(step.instance);
        return;
      case 'start-instance':
        need(this.created.has(step.instance), 'is not created');
        this.running.add(step.instance);
        return;
      case 'stop-instance':
        this.running.delete(step.instance);
        this.healthy.delete(step.instance);
        return;
      case 'wait-healthy':
        need(this.running.has(step.instance), 'does not run');
        this.healthy.add(step.instance);
        return;
      case 'add-to-lane':
        need(this.healthy.has(step.instance), 'is not healthy');
        this.lanes.set(step.lane, (this.lanes.get(step.lane) ?? new Set()).add(step.instance));
        this.draining.delete(`${step.lane}/${step.instance}`);
        return;
      case 'drain-instance':
        if (step.lane !== undefined) this.draining.add(`${step.lane}/${step.instance}`);
        else need(!this.#hasFlows(step.instance), 'gets new flows');
        return;
      case 'remove-from-lane': {
        const isBusy = this.running.has(step.instance) && !this.draining.has(`${step.lane}/${step.instance}`);
        need(!isBusy || !this.#isRouted(step.lane), 'cuts requests');
        this.lanes.get(step.lane)?.delete(step.instance);
        this.draining.delete(`${step.lane}/${step.instance}`);
        if (this.lanes.get(step.lane)?.size === 0) this.lanes.delete(step.lane);
        return;
      }
      case 'switch-routes':
        for (const { route, to } of step.changes) {
          if (to === undefined) this.routes.delete(route);
          else this.routes.set(route, { stable: to, candidate: null, weight: 0 });
        }
        return;
      case 'set-weights':
        for (const { route, to, from } of step.changes) {
          const { stable, candidate, weight } = this.routes.get(route)!;
          const isAsSaid = stable === from.stable && candidate === from.candidate && weight === from.weight;
          need(isAsSaid || this.undoing, `${route} is not as it is said to be`);
          this.routes.set(route, to);
        }
        return;
      case 'switch-tcp':
        if (step.to === undefined) this.tcpRoutes.delete(step.route);
        else this.tcpRoutes.set(step.route, [{ ...step.to, weight: 10_000 }]);
        return;
      case 'set-tcp-weights':
        need(step.to.reduce((sum, { weight }) => sum + weight, 0) === 10_000, 'is not all of the traffic');
        this.tcpRoutes.set(step.route, step.to);
        return;
      case 'set-route-options':
        this.options.set(step.route, step.to);
        return;
      case 'set-preview':
        if (step.lane === null) this.previews.delete(step.route);
        else {
          need((this.lanes.get(step.lane)?.size ?? 0) > 0, 'nobody there to preview');
          this.previews.set(step.route, step.lane);
        }
        return;
      case 'run-hooks':
        need(this.running.has(step.instance), 'does not run');
        return;
      case 'run-job':
        need(this.networks.has(`p-r${step.release}`), 'no network');
        return;
      case 'remove-route':
        this.routes.delete(step.route);
        this.tcpRoutes.delete(step.route);
        return;
      case 'publish-port':
        need(this.routes.has(step.port.route) || this.tcpRoutes.has(step.port.route), 'nothing behind the port');
        this.ports.set(step.port.port, { ...step.port, service: '', target: 0 });
        return;
      case 'unpublish-port':
        this.ports.delete(step.port.port);
        return;
      case 'set-standing':
        this.standing = step.standing;
        return;
      default:
        return;
    }
  }

  #isRouted(lane: string): boolean {
    return [...this.routes.values()].some(
      ({ stable, candidate, weight }) => (stable === lane && weight < 10_000) || (candidate === lane && weight > 0),
    );
  }

  #hasFlows(instance: string): boolean {
    return [...this.tcpRoutes.values()].some((sides) =>
      sides.some(({ weight, instances }) => weight > 0 && instances.includes(instance)),
    );
  }

  /** Who serves each published port now, side by side; sides without traffic are left out. */
  sides(): ReadonlyMap<number, readonly Serving[]> {
    return new Map(
      [...this.ports.values()].map(({ port, route, protocol }) => {
        const sides = protocol === 'http' ? this.#httpSides(route) : this.#tcpSides(route);
        return [port, sides.filter(({ share }) => share > 0)];
      }),
    );
  }

  /** Who serves each published port now. */
  serving(): ReadonlyMap<number, readonly string[]> {
    return new Map([...this.sides()].map(([port, sides]) => [port, sides.flatMap(({ names }) => names)]));
  }

  #httpSides(route: string): readonly Serving[] {
    const { stable = '', candidate, weight = 0 } = this.routes.get(route) ?? {};
    const namesIn = (lane: string): readonly string[] =>
      [...(this.lanes.get(lane) ?? [])].filter((name) => !this.draining.has(`${lane}/${name}`));
    return [
      { share: 1 - weight / 10_000, names: namesIn(stable) },
      { share: weight / 10_000, names: namesIn(candidate ?? '') },
    ];
  }

  #tcpSides(route: string): readonly Serving[] {
    return (this.tcpRoutes.get(route) ?? []).map(({ weight, instances }) => ({
      share: weight / 10_000,
      names: instances.filter((name) => this.running.has(name)),
    }));
  }
}
