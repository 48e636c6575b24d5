import { imageNameOf, networksOf, placementsOf, volumesOf } from '../../fleet/index.ts';
import { type DeployInput, instanceOf, type Plan, step, uniquePlacements, wavesOf } from '../plan.ts';
import { addToLanes, routeSteps } from '../plan-routes.ts';
import { type PlacedSet, placeSets } from '../plan-sets.ts';
import { joinSteps, predecessorsOf, startWaves } from '../plan-start.ts';
import type { PortKey, PublishedPort } from '../../traffic/index.ts';
import type { Standing, WarmRelease } from '../standing.ts';
import type { Step, StepOf } from '../step.ts';

/**
 * Blue-green: the whole new set beside the old one, health, one switch; the old set stays warm. Traffic never moves
 * before every fresh instance is healthy. Everything before the new standing is set can be undone.
 */
export function planBlueGreen(input: DeployInput): Plan {
  const sets = placeSets(input);
  const placed = [...sets.values()];
  const replacing = placed.filter((set) => predecessorsOf(input, sets, set).length > 0);
  const early = new Set(replacing.map((set) => set.record.service));
  const routes = routeSteps(input, sets, early);
  const later = placed.filter((set) => !early.has(set.record.service));
  const removed = removedTraffic(input);
  return {
    kind: input.kind,
    project: input.target.project,
    ...(input.standing.current === undefined ? {} : { from: input.standing.current.release }),
    to: input.target.number,
    warnings: warningsOf(input, replacing),
    unchanged: isUnchanged(input, placed),
    waves: wavesOf(
      prepare(input, placed),
      placed.flatMap((set) => clearAway(input, set)),
      placed.flatMap((set) => create(input, set)),
      placed.flatMap((set) => carryOver(input, set)),
      ...startWaves(input, sets, routes),
      placed.flatMap((set) => smokeTest(input, set)),
      later.flatMap((set) => addToLanes(set, input)),
      routes.added,
      publish(input).filter((each) => !isMoved(input, each)),
      routes.switched,
      [step('the switch is done', { kind: 'set-standing', standing: standingAfter(input, placed) })],
      removed.ports,
      [...removed.routes, ...publish(input).filter((each) => isMoved(input, each))],
    ),
  };
}

/** What can be made before anything of the release exists. */
function prepare(input: DeployInput, placed: readonly PlacedSet[]): readonly Step[] {
  const { target, observed } = input;
  const there = new Set(observed.fleet.networks.map(({ name }) => name));
  const cause = `release ${target.number}`;
  const fresh = placed.filter((set) => set.fresh).map((set) => set.record.service);
  const kept = Object.values(target.services).map(({ name, imageId }) => {
    const imageName = imageNameOf({ project: target.project, release: target.number, service: name });
    return step(cause, { kind: 'keep-image', imageId, imageName });
  });
  return [
    ...(input.kind === 'rollback' ? [] : kept),
    ...networksOf(target.model, target.number)
      .filter(({ name }) => !there.has(name))
      .map((network) => step(cause, { kind: 'create-network', network })),
    ...(fresh.length === 0 ? [] : volumesOf(target.model))
      .filter(({ name }) => !observed.fleet.volumes.includes(name))
      .map((volume) => step(cause, { kind: 'create-volume', volume })),
    ...uniquePlacements(fresh.flatMap((name) => placementsOf(target, name))).map((placement) =>
      step(cause, { kind: 'place-file', placement }),
    ),
  ];
}

/** Remains under the names that are needed now, for instance of a release that was warm once. */
function clearAway({ observed }: DeployInput, { record, fresh }: PlacedSet): readonly Step[] {
  if (!fresh) return [];
  return record.instances
    .filter((name) => instanceOf(observed, name) !== undefined)
    .map((instance) => step('left over, does not run', { kind: 'remove-instance', instance }));
}

function create({ target }: DeployInput, { record, fresh, cause }: PlacedSet): readonly Step[] {
  if (!fresh) return [];
  return record.instances.map((instance, index) =>
    step(cause, {
      kind: 'create-instance',
      instance,
      release: target.number,
      service: record.service,
      index: index + 1,
    }),
  );
}

/** A set that is carried over answers to its name in the new release too. */
function carryOver({ target, observed }: DeployInput, { record, fresh }: PlacedSet): readonly Step[] {
  if (fresh || record.job) return [];
  const on = instanceOf(observed, record.instances[0] ?? '')?.networks ?? [];
  return joinSteps(target, record, 'carried over: unchanged', on);
}

function smokeTest({ target, ports }: DeployInput, { record, fresh }: PlacedSet): readonly Step[] {
  const service = target.model.services[record.service]!;
  const smoke = service.settings.smoke;
  if (!fresh || smoke === undefined) return [];
  const port =
    smoke.port ?? ports.find((each) => each.service === record.service)?.target ?? Number(service.expose?.[0] ?? 80);
  const { path, status, timeoutMs } = smoke;
  const network = record.network === undefined ? {} : { network: record.network };
  return record.instances.map((instance) =>
    step('declared smoke test', { kind: 'smoke-test', instance, port, path, status, timeoutMs, ...network }),
  );
}

function publish({ ports, observed }: DeployInput): readonly StepOf<'publish-port'>[] {
  const known = observed.traffic.publishedPorts;
  const isThere = (port: PublishedPort): boolean =>
    known.some((each) => isSameKey(each, port) && each.route === port.route);
  return ports
    .filter((port) => !isThere(port))
    .map((port) => step('declared in the Compose file', { kind: 'publish-port', port: plainPort(port) }));
}

/** It leads to another route until now: it must be given back first. */
function isMoved({ standing }: DeployInput, { port }: StepOf<'publish-port'>): boolean {
  return standing.ports.some((old) => isSameKey(old, port) && old.route !== port.route);
}

function isSameKey(a: PortKey, b: PortKey): boolean {
  return a.port === b.port && a.protocol === b.protocol && a.hostAddress === b.hostAddress;
}

function plainPort({ port, protocol, hostAddress, route }: DeployInput['ports'][number]): Standing['ports'][number] {
  return { port, protocol, route, ...(hostAddress === undefined ? {} : { hostAddress }) };
}

/** Ports and routes that only the release before had. */
function removedTraffic({ standing, ports }: DeployInput): {
  readonly ports: readonly Step[];
  readonly routes: readonly Step[];
} {
  const cause = 'no longer in the Compose file';
  const gone = standing.ports.filter((old) => !ports.some((port) => isSameKey(port, old) && port.route === old.route));
  const routes = new Set(gone.map((port) => port.route).filter((route) => !ports.some((port) => port.route === route)));
  return {
    ports: gone.map((port) => step(cause, { kind: 'unpublish-port', port })),
    routes: [...routes].map((route) => step(cause, { kind: 'remove-route', route })),
  };
}

function standingAfter(input: DeployInput, placed: readonly PlacedSet[]): Standing {
  const { target, standing, rollout } = input;
  const { keepMs, drainMs } = target.model.settings;
  const before: readonly WarmRelease[] =
    standing.current === undefined || standing.current.release === target.number
      ? []
      : [{ ...standing.current, sinceMs: null, keepMs, drainMs, rollout }];
  const older = standing.warm
    .filter(({ release }) => release !== target.number)
    .map((warm) => ({ ...warm, keepMs: 0 }));
  return {
    current: { release: target.number, sets: placed.map((set) => set.record) },
    warm: [...before, ...older],
    ports: input.ports.map(plainPort),
    prunedBelow: standing.prunedBelow,
  };
}

function isUnchanged(input: DeployInput, placed: readonly PlacedSet[]): boolean {
  const { standing, target } = input;
  if (standing.current === undefined) return false;
  if (input.kind === 'rollback' && standing.current.release !== target.number) return false;
  const isSameSets = placed.every((set) => !set.fresh) && standing.current.sets.length === placed.length;
  const samePorts = publish(input).length === 0 && removedTraffic(input).ports.length === 0;
  return isSameSets && samePorts;
}

function warningsOf({ standing, target }: DeployInput, replacing: readonly PlacedSet[]): readonly string[] {
  const isFirst = standing.current === undefined;
  const others = isFirst ? '' : ' The releases that are alive use the new one from then on.';
  const stateful = replacing.map(
    ({ record, cause }) =>
      `${record.service} has a volume and is replaced (${cause}): it is stopped, then started again on the same volume. It does not answer in between.${others}`,
  );
  const fixed = Object.entries(target.model.networks)
    .filter(([, network]) => network.ipam.config?.some(({ subnet }) => subnet !== undefined))
    .map(
      ([key]) =>
        `networks.${key}.ipam: the subnet is not used: each release has a network of its own, and two of them cannot have the same addresses.`,
    );
  return [...stateful, ...fixed];
}
