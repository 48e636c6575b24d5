import { defaultSettings, type Project, type Service } from '../../src/delivery/compose/index.ts';
import { type NewRelease, identitiesOf, type Release } from '../../src/delivery/release/index.ts';
import type { DeployInput, Observed, Plan, PlannedPort } from '../../src/delivery/rollout/plan.ts';
import { EMPTY_STANDING, liveReleases, type Standing } from '../../src/delivery/rollout/standing.ts';
import type { Step } from '../../src/delivery/rollout/step.ts';
import { planDeploy } from '../../src/delivery/rollout/plan-strategy.ts';
import type { RouteShare } from '../../src/delivery/traffic/index.ts';

/** One service of a project that is made up: what matters to a planner. */
export interface SketchedService {
  /** Another number: another image. */
  readonly image: number;
  readonly replicas: number;
  readonly published: boolean;
  /** Writes to the volume of its name. */
  readonly stateful: boolean;
  readonly needs: readonly string[];
}
export type Sketch = Readonly<Record<string, SketchedService>>;

function projectFrom(sketch: Sketch): Project {
  const services = Object.entries(sketch).map(([name, each], index): [string, Service] => [
    name,
    {
      image: `${name}:${each.image}`,
      command: null,
      entrypoint: null,
      networks: { default: null },
      settings: {},
      scale: each.replicas,
      ...(each.published ? { ports: [{ target: 80, published: String(8_000 + index), protocol: 'tcp' }] } : {}),
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
    settings: { ...defaultSettings(), keepMs: 1, drainMs: 1, healthTimeoutMs: 1, rollbackWindow: 5 },
  };
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
  readonly routes = new Map<string, RouteShare>();
  readonly ports = new Map<number, PlannedPort>();
  readonly created = new Map<string, { service: string; release: number }>();
  rollout = 0;

  releaseOf(sketch: Sketch): Release {
    const project = projectFrom(sketch);
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

  planDeploy(target: Release, o: { readonly kind?: 'deploy' | 'rollback'; readonly force?: boolean } = {}): Plan {
    const live = liveReleases(this.standing).map(({ release }) => release);
    const ports = Object.entries(target.model.services).flatMap(([service, { ports: declared = [] }]) =>
      declared.map((port): PlannedPort => {
        const number = Number(port.published);
        return { port: number, protocol: 'http', route: `p/${service}/${port.target}`, service, target: port.target };
      }),
    );
    const used = new Set([...this.lanes.keys(), ...[...this.routes.values()].map(({ stable }) => stable)]);
    const input: DeployInput = {
      kind: o.kind ?? 'deploy',
      rollout: ++this.rollout,
      target,
      standing: this.standing,
      releases: new Map(live.map((number) => [number, this.releases.get(number)!])),
      observed: this.observed(),
      ports,
      freeLanes: Array.from({ length: 200 }, (_, n) => `lane-${n}`).filter((lane) => !used.has(lane)),
      force: o.force ?? false,
    };
    return planDeploy(input);
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
    const publishedPorts = [...this.ports.values()].map(({ port, protocol, route }) => ({ port, protocol, route }));
    return {
      fleet: {
        instances,
        networks: [...this.networks.keys()].map((name) => ({ name, release: Number(/-r(\d+)/.exec(name)?.[1]) })),
        volumes: [...this.volumes],
      },
      traffic: { routes: this.routes, tcpRoutes: new Map(), publishedPorts, lanes, routeOptions: new Map() },
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
        return;
      case 'remove-from-lane':
        this.lanes.get(step.lane)?.delete(step.instance);
        if (this.lanes.get(step.lane)?.size === 0) this.lanes.delete(step.lane);
        return;
      case 'switch-routes':
        for (const { route, to } of step.changes) {
          if (to === undefined) this.routes.delete(route);
          else this.routes.set(route, { stable: to, candidate: null, weight: 0 });
        }
        return;
      case 'remove-route':
        this.routes.delete(step.route);
        return;
      case 'publish-port':
        need(this.routes.has(step.port.route), 'nothing behind the port');
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

  /** Who serves each published port now. */
  serving(): ReadonlyMap<number, readonly string[]> {
    return new Map(
      [...this.ports.values()].map(({ port, route }) => {
        const lane = this.routes.get(route)?.stable ?? '';
        return [port, [...(this.lanes.get(lane) ?? [])]];
      }),
    );
  }
}
