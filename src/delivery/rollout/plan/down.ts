import type { Release } from '../../release/index.ts';
import { type Observed, type Plan, step, wavesOf } from './plan.ts';
import { preStopSteps } from './hooks.ts';
import { networkNames } from './retire.ts';
import { needsOf } from './scene.ts';
import { levelsOf } from './levels.ts';
import { EMPTY_STANDING, isEmptyStanding, liveSets, type Standing } from './standing.ts';
import type { Step } from './step.ts';

export interface DownInput {
  readonly project: string;
  readonly standing: Standing;
  readonly observed: Observed;
  /** The release that serves, for the order of stopping. */
  readonly current: Release | undefined;
  readonly volumes: boolean;
  /** Installed for the project, by name. */
  readonly certificates?: readonly string[];
  /** Those that made the instances, by their number. */
  readonly releases: ReadonlyMap<number, Release>;
}

/** Ends a project: traffic first, then instances, those that need others before those. Volumes only when asked. */
export function planDown(input: DownInput): Plan {
  const { standing, observed, project } = input;
  const cause = 'down';
  const instances = observed.fleet.instances;
  const waves = wavesOf(
    standing.ports.map((port) => step(cause, { kind: 'unpublish-port', port })),
    routesOf(input).map((route) => step(cause, { kind: 'remove-route', route })),
    (input.certificates ?? []).map((name) => step(cause, { kind: 'remove-certificate', name })),
    laneSteps(input),
    ...stopWaves(input),
    instances.map(({ name }) => step(cause, { kind: 'remove-instance', instance: name })),
    networkNames(observed.fleet.networks).map((network) => step(cause, { kind: 'remove-network', network })),
    input.volumes ? observed.fleet.volumes.map((volume) => step(cause, { kind: 'remove-volume', volume })) : [],
    isEmptyStanding(standing) ? [] : [step(cause, { kind: 'set-standing', standing: emptied(standing) })],
  );
  const from = standing.current === undefined ? {} : { from: standing.current.release };
  return { kind: 'down', project, ...from, waves, warnings: [], unchanged: waves.length === 0 };
}

function routesOf({ project, observed }: DownInput): readonly string[] {
  const routes = [...observed.traffic.routes.keys(), ...observed.traffic.tcpRoutes.keys()];
  return [...new Set(routes)].filter((route) => route.split('/')[0] === project);
}

function laneSteps({ standing, observed }: DownInput): readonly Step[] {
  const names = new Set([
    ...observed.fleet.instances.map(({ name }) => name),
    ...liveSets(standing).flatMap((set) => set.instances),
  ]);
  return observed.traffic.lanes.flatMap((lane) =>
    lane.instances
      .filter(({ name }) => names.has(name))
      .map(({ name }) => step('down', { kind: 'remove-from-lane', lane: lane.id, instance: name })),
  );
}

/** The last started stops first. */
function stopWaves({ observed, current, releases }: DownInput): readonly (readonly Step[])[] {
  const levels =
    current === undefined ? [] : levelsOf(new Set(Object.keys(current.services)), needsOf(current)).toReversed();
  const ordered = new Set(levels.flat());
  const running = observed.fleet.instances.filter(({ state }) => state === 'running' || state === 'restarting');
  const stopOf = (isWanted: (service: string) => boolean): readonly (readonly Step[])[] => {
    const wanted = running.filter(({ service }) => isWanted(service));
    return [
      preStopSteps(releases, wanted),
      wanted.map(({ name }) => step('down', { kind: 'stop-instance', instance: name })),
    ];
  };
  return [
    ...stopOf((service) => !ordered.has(service)),
    ...levels.flatMap((level) => stopOf((name) => level.includes(name))),
  ];
}

function emptied({ prunedBelow }: Standing): Standing {
  return { ...EMPTY_STANDING, prunedBelow };
}
