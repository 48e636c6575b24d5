import { instanceName, placementsOf } from '../../fleet/index.ts';
import type { ObservedInstance } from '../../fleet/index.ts';
import type { Release } from '../../release/index.ts';
import { hookedService, preStopSteps } from './hooks.ts';
import { joinSteps } from './join.ts';
import { hookSteps } from './start.ts';
import { instanceOf, type Observed, type Plan, step, uniquePlacements, wavesOf } from './plan.ts';
import { liveReleases, type SetRecord, setKey, type Standing } from './standing.ts';
import type { Step } from './step.ts';

export interface HealInput {
  readonly project: string;
  readonly standing: Standing;
  readonly observed: Observed;
  /** Every release that is alive or has created a live set, by its number. */
  readonly releases: ReadonlyMap<number, Release>;
  /** Sets that are left alone for now, by `setKey`: they were healed a moment ago. */
  readonly resting: ReadonlySet<string>;
  /** A rollout runs, which moves the traffic: only lanes are touched. */
  readonly isBeside?: boolean;
}

export interface BrokenInstance {
  readonly name: string;
  readonly set: SetRecord;
  /** Why it has to be replaced, in a few words. */
  readonly cause: string;
  /** It still runs, and may still answer somebody: its successor is started beside it. */
  readonly isRunning: boolean;
}

/** Instances of the release that serves which do not do what they are there for. */
export function brokenInstances({
  standing,
  observed,
  resting,
}: Omit<HealInput, 'releases' | 'project'>): readonly BrokenInstance[] {
  return (standing.current?.sets ?? []).flatMap((set) =>
    set.instances.flatMap((name) => {
      const seen = instanceOf(observed, name);
      const cause = resting.has(setKey(set)) ? undefined : causeOf(seen, set);
      return cause === undefined ? [] : [{ name, set, cause, isRunning: seen?.state === 'running' }];
    }),
  );
}

/** What the engine starts again by itself is the engine's business. */
function causeOf(seen: ObservedInstance | undefined, { mayExit, job }: SetRecord): string | undefined {
  if (job) return undefined;
  if (seen === undefined) return mayExit ? undefined : 'is gone';
  switch (seen.state) {
    case 'running':
      return seen.health === 'unhealthy' ? 'is unhealthy' : undefined;
    case 'exited':
    case 'dead':
      return mayExit ? undefined : `has ended (${sayExit(seen)})`;
    case 'created':
      return 'was never started';
    case 'paused':
    case 'restarting':
    case 'removing':
      return undefined;
  }
}

function sayExit({ exitCode, oomKilled }: ObservedInstance): string {
  if (oomKilled) return 'out of memory';
  return exitCode === undefined ? 'exit code unknown' : `exit code ${exitCode}`;
}

/**
 * Replaces broken instances of one set. One that still runs goes only when its successor is healthy; one that is
 * gone, or writes to a volume, is made again under its name. Beside a rollout all are: its plan knows their names.
 */
export function planHeal(input: HealInput, broken: readonly BrokenInstance[]): Plan {
  const [first] = broken;
  const release = first === undefined ? undefined : input.releases.get(first.set.origin);
  const base = { kind: 'heal', project: input.project, warnings: [] } as const;
  if (first === undefined || release === undefined) return { ...base, waves: [], unchanged: true };
  const { set } = first;
  const beside = set.stateful || input.isBeside === true ? [] : broken.filter(({ isRunning }) => isRunning);
  const again = broken.filter((each) => !beside.includes(each));
  const names = freeNames(release, input, set);
  const successors = beside.map((each) => ({ each, ...names.next().value! }));
  const made = [
    ...again.map((each) => ({ name: each.name, index: indexOf(each.name), cause: `${each.name} ${each.cause}` })),
    ...successors.map(({ each, name, index }) => ({ name, index, cause: `${each.name} ${each.cause}` })),
  ];
  return {
    ...base,
    ...numbers(input.standing),
    unchanged: false,
    waves: wavesOf(
      again.flatMap((each) => drain(input, each)),
      again.flatMap((each) => leaveLanes(input, each)),
      hooksOf(input, again),
      again
        .filter(({ isRunning }) => isRunning)
        .map(({ name, cause }) => step(cause, { kind: 'stop-instance', instance: name })),
      again.map(({ name, cause }) => step(cause, { kind: 'remove-instance', instance: name })),
      uniquePlacements(placementsOf(release, set.service)).map((placement) =>
        step('its files', { kind: 'place-file', placement }),
      ),
      made.map(({ name, index, cause }) => createStep(set, { name, index, cause })),
      joinLive(input, { ...set, instances: made.map(({ name }) => name) }, release),
      made.map(({ name, cause }) =>
        step(cause, {
          kind: 'start-instance',
          instance: name,
          stateful: set.stateful,
          ...hookedService(release, set.service),
        }),
      ),
      made.map(({ name }) => waitStep(input, { set, release, name })),
      hookSteps(release, set, { hook: 'post_start', instances: made.map(({ name }) => name) }),
      made.flatMap(({ name, cause }) => enterTraffic(set, name, cause)),
      successors.length === 0 ? [] : [standingStep(input.standing, set, successors)],
      input.isBeside === true ? [] : [step('addresses have changed', { kind: 'refresh-traffic' })],
      beside.flatMap((each) => drain(input, each)),
      beside.flatMap((each) => leaveLanes(input, each)),
      hooksOf(input, beside),
      beside.map(({ name, cause }) => step(cause, { kind: 'stop-instance', instance: name })),
      beside.map(({ name, cause }) => step(cause, { kind: 'remove-instance', instance: name })),
    ),
  };
}

function numbers({ current }: Standing): { from?: number; to?: number } {
  return current === undefined ? {} : { from: current.release, to: current.release };
}

function createStep(
  set: SetRecord,
  o: { readonly name: string; readonly index: number; readonly cause: string },
): Step {
  return step(o.cause, {
    kind: 'create-instance',
    instance: o.name,
    release: set.origin,
    service: set.service,
    index: o.index,
  });
}

/** Every live release that carries the set over finds the new instances under the old name. */
function joinLive(input: HealInput, set: SetRecord, origin: Release): readonly Step[] {
  return liveReleases(input.standing)
    .filter(({ release, sets }) => release !== origin.number && sets.some((each) => setKey(each) === setKey(set)))
    .flatMap(({ release }) => joinSteps(input.releases.get(release), set, `release ${release} uses it too`));
}

function waitStep(
  { standing, project }: HealInput,
  o: { readonly set: SetRecord; readonly release: Release; readonly name: string },
): Step {
  const { set, release, name } = o;
  const own = `${project}/${set.service}/`;
  const ports = standing.ports.filter(({ route, protocol }) => route.startsWith(own) && protocol !== 'udp');
  return step('capacity before traffic', {
    kind: 'wait-healthy',
    instance: name,
    timeoutMs: release.model.settings.healthTimeoutMs,
    mayExit: set.mayExit,
    ports: [...new Set(ports.map(({ route }) => Number(route.slice(own.length))))],
    ...networkOf(set),
  });
}

function enterTraffic(set: SetRecord, instance: string, cause: string): readonly Step[] {
  return Object.entries(set.lanes).map(([port, lane]) =>
    step(cause, { kind: 'add-to-lane', lane, instance, port: Number(port), ...networkOf(set) }),
  );
}

/** Its places in the lanes. */
function placesOf({ observed }: HealInput, { name, set }: BrokenInstance): readonly (readonly [string, string])[] {
  return Object.entries(set.lanes).filter(([, id]) =>
    observed.traffic.lanes.find((lane) => lane.id === id)?.instances.some((each) => each.name === name),
  );
}

function drain(input: HealInput, broken: BrokenInstance): readonly Step[] {
  if (!broken.isRunning) return [];
  const { name: instance, set, cause } = broken;
  return placesOf(input, broken).map(([port, lane]) => {
    const body = { kind: 'drain-instance', lane, instance, port: Number(port), deadlineMs: DRAIN_MS } as const;
    return step(cause, { ...body, ...networkOf(set) });
  });
}

function leaveLanes(input: HealInput, broken: BrokenInstance): readonly Step[] {
  const { name: instance, cause } = broken;
  return placesOf(input, broken).map(([, lane]) => step(cause, { kind: 'remove-from-lane', lane, instance }));
}

function hooksOf({ releases, observed }: HealInput, leaving: readonly BrokenInstance[]): readonly Step[] {
  const names = new Set(leaving.map(({ name }) => name));
  return preStopSteps(
    releases,
    observed.fleet.instances.filter(({ name }) => names.has(name)),
  );
}

/** An ill instance gets little time: whoever waits for it should be answered by a healthy one. */
const DRAIN_MS = 10_000;

function networkOf({ network }: SetRecord): { network?: string } {
  return network === undefined ? {} : { network };
}

interface Successor {
  readonly each: BrokenInstance;
  readonly name: string;
}

function standingStep(standing: Standing, set: SetRecord, successors: readonly Successor[]): Step {
  const replaced = new Map(successors.map(({ each, name }) => [each.name, name]));
  const renew = (old: SetRecord): SetRecord =>
    setKey(old) !== setKey(set) ? old : { ...old, instances: old.instances.map((name) => replaced.get(name) ?? name) };
  const { current, warm } = standing;
  return step('its successors are healthy', {
    kind: 'set-standing',
    standing: {
      ...standing,
      ...(current === undefined ? {} : { current: { ...current, sets: current.sets.map(renew) } }),
      warm: warm.map((each) => ({ ...each, sets: each.sets.map(renew) })),
    },
  });
}

/** Names that nobody has, the lowest index first. */
function* freeNames(
  release: Release,
  { observed }: HealInput,
  set: SetRecord,
): Generator<{ readonly name: string; readonly index: number }, undefined> {
  const taken = new Set([...set.instances, ...observed.fleet.instances.map(({ name }) => name)]);
  for (let index = 1; ; index++) {
    const name = instanceName({ project: release.project, release: release.number, service: set.service, index });
    if (!taken.has(name)) yield { name, index };
  }
}

function indexOf(name: string): number {
  return Number(name.slice(name.lastIndexOf('-') + 1));
}
