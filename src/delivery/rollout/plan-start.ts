import { attachmentsOf } from '../fleet/index.ts';
import type { Release } from '../release/index.ts';
import { type DeployInput, instanceOf, neededBy, step, wavesOf } from './plan.ts';
import type { PlacedSet } from './plan-sets.ts';
import { addToLanes, type RouteSteps } from './plan-routes.ts';
import { liveReleases, liveSets, setKey, type SetRecord } from './standing.ts';
import type { Step } from './step.ts';

type Sets = ReadonlyMap<string, PlacedSet>;
type Waves = readonly (readonly Step[])[];

/**
 * Starts what is fresh, each service behind those that it needs; at the end all of it is known to be healthy.
 * A stateful set takes the place of its predecessor here, because two may not write to one volume.
 */
export function startWaves(input: DeployInput, sets: Sets, routes: RouteSteps): Waves {
  const fresh = [...sets.values()].filter((set) => set.fresh);
  const levels = levelsOf(input.target, new Set(fresh.map((set) => set.record.service)));
  const gated = gatesOf(input.target);
  const isEarly = (set: PlacedSet): boolean =>
    gated.has(set.record.service) || predecessorsOf(input, sets, set).length > 0;
  const late = fresh.filter((set) => !isEarly(set));
  return [
    ...levels.flatMap((level) => {
      const starting = level.map((name) => sets.get(name)!);
      return levelWaves({ input, sets, routes }, starting, starting.filter(isEarly));
    }),
    ...wavesOf(late.flatMap((set) => waitSteps(input, set))),
  ];
}

interface Context {
  readonly input: DeployInput;
  readonly sets: Sets;
  readonly routes: RouteSteps;
}

function levelWaves(
  { input, sets, routes }: Context,
  starting: readonly PlacedSet[],
  early: readonly PlacedSet[],
): Waves {
  const replacing = starting.filter((set) => predecessorsOf(input, sets, set).length > 0);
  return wavesOf(
    replacing.flatMap((set) => stopPredecessors(input, sets, set)),
    replacing.flatMap((set) => joinLiveNetworks(input, set)),
    starting.flatMap(startSteps),
    early.flatMap((set) => waitSteps(input, set)),
    replacing.flatMap((set) => addToLanes(set, input)),
    replacing.flatMap((set) => routes.switchOf(set.record.service)),
  );
}

/** Services of which another one of this release waits for more than the start. */
function gatesOf(release: Release): ReadonlySet<string> {
  const needed = Object.keys(release.services).flatMap((name) => neededBy(release, name));
  const gates = needed.filter(([, dependency]) => dependency.condition !== 'service_started').map(([name]) => name);
  return new Set(gates);
}

/** Groups of services, each group needing only those before it. */
export function levelsOf(release: Release, services: ReadonlySet<string>): readonly (readonly string[])[] {
  const levels = new Map<string, number>();
  const levelOf = (name: string): number => {
    const known = levels.get(name);
    if (known !== undefined) return known;
    const needed = neededBy(release, name).map(([other]) => levelOf(other) + (services.has(other) ? 1 : 0));
    const level = Math.max(0, ...needed);
    levels.set(name, level);
    return level;
  };
  const groups: string[][] = [];
  for (const name of [...services].sort()) (groups[levelOf(name)] ??= []).push(name);
  return groups.filter((group) => group !== undefined);
}

/**
 * Sets that must be stopped before this one may start: they write where it writes, and are its own predecessors or
 * belong to a service that is no more.
 */
export function predecessorsOf(input: DeployInput, sets: Sets, set: PlacedSet): readonly SetRecord[] {
  if (!set.fresh || !set.record.stateful) return [];
  const placed = new Set([...sets.values()].map(({ record }) => setKey(record)));
  return liveSets(input.standing).filter((old) => {
    if (setKey(old) === setKey(set.record) || placed.has(setKey(old))) return false;
    const isSameService = old.service === set.record.service && old.stateful;
    const isGone =
      !(old.service in input.target.services) && old.writes.some((where) => set.record.writes.includes(where));
    return (
      (isSameService || isGone) && old.instances.some((name) => instanceOf(input.observed, name)?.state === 'running')
    );
  });
}

function stopPredecessors(input: DeployInput, sets: Sets, set: PlacedSet): readonly Step[] {
  const cause = `${set.record.service} is replaced on the same volume: ${set.cause}`;
  return predecessorsOf(input, sets, set).flatMap((old) =>
    old.instances.map((instance) => step(cause, { kind: 'stop-instance', instance })),
  );
}

/** The releases that are alive find the new one under the old name. */
function joinLiveNetworks(input: DeployInput, { record }: PlacedSet): readonly Step[] {
  return liveReleases(input.standing)
    .filter(({ release }) => release !== input.target.number)
    .flatMap(({ release }) => joinSteps(input.releases.get(release), record, `release ${release} uses it too`));
}

/** Connects a set to the networks of a release, where it is not on them already. */
export function joinSteps(
  release: Release | undefined,
  set: SetRecord,
  cause: string,
  on: readonly string[] = [],
): readonly Step[] {
  if (release === undefined || !(set.service in release.model.services)) return [];
  return attachmentsOf(release.model, release.number, set.service)
    .filter(({ network }) => !on.includes(network))
    .flatMap(({ network, aliases }) =>
      set.instances.map((instance) => step(cause, { kind: 'connect-network', instance, network, aliases })),
    );
}

function startSteps({ record, cause }: PlacedSet): readonly Step[] {
  return record.instances.map((instance) =>
    step(cause, { kind: 'start-instance', instance, stateful: record.stateful }),
  );
}

/** A migration may take its time; Ctrl-C ends it earlier. */
const JOB_TIMEOUT_MS = 3_600_000;

function waitSteps(input: DeployInput, { record }: PlacedSet): readonly Step[] {
  const timeoutMs = input.target.model.settings.healthTimeoutMs;
  const ports = input.ports.filter((port) => port.service === record.service && port.protocol !== 'udp');
  const targets = [...new Set(ports.map((port) => port.target))];
  const network = record.network === undefined ? {} : { network: record.network };
  return record.instances.map((instance) =>
    record.job
      ? step('others wait for it', { kind: 'wait-completed', instance, timeoutMs: JOB_TIMEOUT_MS })
      : step('capacity before traffic', {
          kind: 'wait-healthy',
          instance,
          timeoutMs,
          mayExit: record.mayExit,
          ports: targets,
          ...network,
        }),
  );
}
