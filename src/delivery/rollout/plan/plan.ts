import { UserError } from '../../../lib/errors.ts';
import type { Dependency, StrategyName } from '../../compose/index.ts';
import type { FleetState, ObservedInstance } from '../../fleet/index.ts';
import type { FilePlacement, Release } from '../../release/index.ts';
import type { LaneId, PublishedPort, RouteId, TrafficState } from '../../traffic/index.ts';
import type { CertificateNeeds } from './certificate-needs.ts';
import type { PlannedStep, RolloutKind } from '../outcome.ts';
import type { Standing } from './standing.ts';
import type { Step, StepBody } from './step.ts';
import { titleOf } from './step-title.ts';

/** A rollout decided: what is done, in waves. The steps of one wave run side by side. */
export interface Plan {
  readonly kind: RolloutKind;
  readonly project: string;
  readonly from?: number;
  readonly to?: number;
  readonly strategy?: StrategyName;
  readonly waves: readonly (readonly Step[])[];
  /** What the user should know before it happens. */
  readonly warnings: readonly string[];
  /** There is nothing to do. */
  readonly unchanged: boolean;
}

/** The world as it is when a plan is made. */
export interface Observed {
  readonly fleet: FleetState;
  readonly traffic: Pick<TrafficState, 'routes' | 'tcpRoutes' | 'publishedPorts' | 'lanes' | 'routeOptions'>;
}

/** What it takes to bring one release into service. */
export interface DeployInput {
  readonly kind: 'up' | 'deploy' | 'rollback';
  /** The number of this rollout. */
  readonly rollout: number;
  readonly target: Release;
  readonly standing: Standing;
  /** Every release that is alive, by its number. */
  readonly releases: ReadonlyMap<number, Release>;
  readonly observed: Observed;
  /** Host ports of the target, chosen. */
  readonly ports: readonly PlannedPort[];
  /** Absent: nothing is to be done about certificates. */
  readonly certificates?: CertificateNeeds;
  /** Lanes that nobody uses. */
  readonly freeLanes: readonly LaneId[];
  /** Start every stateless set anew. */
  readonly force: boolean;
  /** Instead of the strategy that the Compose file declares. */
  readonly strategy?: StrategyName;
}

export interface PlannedPort extends PublishedPort {
  readonly service: string;
  /** Container port. */
  readonly target: number;
}

export function routeOf(project: string, service: string, target: number): RouteId {
  return `${project}/${service}/${target}`;
}

/** Of a route, the last of its three parts. */
export function containerPortOf(route: RouteId): number {
  return Number(route.slice(route.lastIndexOf('/') + 1));
}

export function step<B extends StepBody>(cause: string, body: B): B & { readonly cause: string } {
  return { ...body, cause };
}

/** Of a step of one instance, all but the instance. */
export type InstanceBody<K extends StepBody['kind'] = StepBody['kind'], B = StepBody> = B extends {
  readonly kind: K;
  readonly instance: string;
}
  ? Omit<B, 'instance'>
  : never;

/** The same steps for each of these instances, instance by instance. */
export function stepEach<B extends InstanceBody>(
  cause: string,
  instances: readonly string[],
  bodies: readonly B[],
): readonly (B & { readonly instance: string; readonly cause: string })[] {
  const [body, ...others] = bodies;
  if (body === undefined) return [];
  // Plans have ten thousands of steps: nothing is made but them.
  if (others.length === 0) return instances.map((instance) => ({ ...body, instance, cause }));
  return instances.flatMap((instance) => bodies.map((each) => ({ ...each, instance, cause })));
}

/** Waves without the empty ones. */
export function wavesOf(...waves: readonly (readonly Step[])[]): readonly (readonly Step[])[] {
  return waves.filter((wave) => wave.length > 0);
}

/** The plan as people read it; the index counts through all waves. */
export function describe(waves: readonly (readonly Step[])[]): readonly PlannedStep[] {
  return waves.flat().map((each, index) => ({ index, kind: each.kind, title: titleOf(each), cause: each.cause }));
}

export function instanceOf(observed: Observed, name: string): ObservedInstance | undefined {
  return observed.fleet.instances.find((instance) => instance.name === name);
}

/** It does what it is there for: runs and is not known to be ill, or has ended well where that is its job. */
export function isAlive(instance: ObservedInstance | undefined, mayExit: boolean): boolean {
  if (instance === undefined) return false;
  if (instance.state === 'running') return instance.health !== 'unhealthy';
  return mayExit && instance.state === 'exited' && instance.exitCode === 0;
}

/** Dependencies that are part of the release. */
export function neededBy(release: Release, service: string): readonly (readonly [string, Dependency])[] {
  const model = release.model.services[service];
  const shared: [string, Dependency][] = model?.network_mode?.startsWith('service:')
    ? [[model.network_mode.slice('service:'.length), { condition: 'service_started', required: true }]]
    : [];
  return [...Object.entries(model?.depends_on ?? {}), ...shared].filter(([name]) => name in release.model.services);
}

/** A file and where it is needed: two services may use the same one. */
export function uniquePlacements(placements: readonly FilePlacement[]): readonly FilePlacement[] {
  const unique = new Map(placements.map((each) => [`${each.version}-${each.uid}-${each.gid}-${each.mode}`, each]));
  return [...unique.values()];
}

export function lanesExhausted(): never {
  throw new UserError({
    code: 'lanes-exhausted',
    kind: 'unavailable',
    message: 'the proxy has no free lane left: too many services and warm releases share this machine',
    fix: 'Shorten `x-bascule.keep` of the projects here, or take projects down that are not needed.',
  });
}
