import { imageNameOf, type ObservedInstance } from '../../fleet/index.ts';
import type { Release } from '../../release/index.ts';
import { preStopSteps } from './hooks.ts';
import { type Observed, type Plan, step, wavesOf } from './plan.ts';
import { lanesOf, liveReleases, liveSets, type Standing } from './standing.ts';
import type { Leaving, Step } from './step.ts';

export interface RetireInput {
  readonly project: string;
  readonly standing: Standing;
  readonly observed: Observed;
  /** Warm releases whose time is over. */
  readonly leaving: ReadonlySet<number>;
  /** Releases that no longer can be rolled back to, and still have images. */
  readonly pruned: readonly Release[];
  /** Those that made the instances, by their number. */
  readonly releases: ReadonlyMap<number, Release>;
  /** Instances and networks that another retirement is taking away. */
  readonly leavingAlready: ReadonlySet<string>;
}

/** Takes away what no live release needs: of releases that leave, and whatever a crash left behind. */
export function planRetire(input: RetireInput): Plan {
  const { standing, leaving, pruned } = input;
  const prunedBelow = Math.max(standing.prunedBelow, ...pruned.map(({ number }) => number + 1));
  const warm = standing.warm.filter(({ release }) => !leaving.has(release));
  const after: Standing = { ...standing, warm, prunedBelow };
  const isSame = warm.length === standing.warm.length && prunedBelow === standing.prunedBelow;
  const cause = leaving.size === 0 ? 'nothing needs it' : `release ${[...leaving].join(', ')} is no longer kept warm`;
  const waves = wavesOf(
    isSame ? [] : [step(cause, { kind: 'set-standing', standing: after })],
    ...removalWaves(input, after, cause),
    pruned.flatMap(forgetImages),
  );
  return { kind: 'retire', project: input.project, waves, warnings: [], unchanged: waves.length === 0 };
}

function removalWaves(input: RetireInput, after: Standing, cause: string): readonly (readonly Step[])[] {
  const { observed, standing, releases, leavingAlready } = input;
  const needed = new Set(liveSets(after).flatMap((set) => set.instances));
  const orphans = observed.fleet.instances.filter(({ name }) => !needed.has(name) && !leavingAlready.has(name));
  const names = new Set(orphans.map(({ name }) => name));
  return [
    laneSteps(observed, freedLanes(standing, after), names).map((body) => ({ ...body, cause })),
    preStopSteps(releases, orphans),
    orphans
      .filter(mayRun)
      .map((each) => step(cause, { kind: 'stop-instance', instance: each.name, leaving: leavingOf(releases, each) })),
    orphans.map((each) =>
      step(cause, { kind: 'remove-instance', instance: each.name, leaving: leavingOf(releases, each) }),
    ),
    networkSteps(input, after).map((body) => ({ ...body, cause })),
  ];
}

/** It runs, or the engine may start it again at any moment. */
function mayRun({ state }: ObservedInstance): boolean {
  return state === 'running' || state === 'restarting';
}

function leavingOf(releases: RetireInput['releases'], instance: ObservedInstance): Leaving {
  const { id, release, service } = instance;
  const stateful = releases.get(release)?.services[service]?.stateful ?? true;
  return { id, release, writes: stateful && mayRun(instance) };
}

function freedLanes(before: Standing, after: Standing): ReadonlySet<string> {
  const kept = new Set(lanesOf(liveSets(after)));
  return new Set(lanesOf(liveSets(before)).filter((lane) => !kept.has(lane)));
}

function laneSteps(observed: Observed, freed: ReadonlySet<string>, orphans: ReadonlySet<string>) {
  return observed.traffic.lanes.flatMap((lane) =>
    lane.instances
      .filter(({ name }) => freed.has(lane.id) || orphans.has(name))
      .map(({ name }) => ({ kind: 'remove-from-lane' as const, lane: lane.id, instance: name })),
  );
}

/** A release's networks are needed while it is alive, or a set that it created is: traffic reaches the set there. */
function networkSteps({ observed, leavingAlready }: RetireInput, after: Standing) {
  const needed = new Set([
    ...liveReleases(after).map(({ release }) => release),
    ...liveSets(after).map(({ origin }) => origin),
  ]);
  const unneeded = observed.fleet.networks.filter(
    ({ name, release }) => !needed.has(release) && !leavingAlready.has(name),
  );
  const releases = new Map(unneeded.map(({ name, release }) => [name, release]));
  return [...releases].map(([network, release]) => ({
    kind: 'remove-network' as const,
    network,
    release,
  }));
}

/** An engine may have two networks of one name. */
export function networkNames(networks: Observed['fleet']['networks']): readonly string[] {
  return [...new Set(networks.map(({ name }) => name))];
}

function forgetImages(release: Release): readonly Step[] {
  return Object.keys(release.services).map((service) =>
    step('beyond the rollback window', {
      kind: 'forget-image',
      imageName: imageNameOf({ project: release.project, release: release.number, service }),
    }),
  );
}
