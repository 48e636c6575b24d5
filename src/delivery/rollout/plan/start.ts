import type { Service } from '../../compose/index.ts';
import type { Release } from '../../release/index.ts';
import { type InstanceBody, stepEach } from './plan.ts';
import type { Draft, Waves } from './draft.ts';
import { hookedService, hooksOf } from './hooks.ts';
import { joinSteps } from './join.ts';
import { addToLanes, changesWhere, switchSteps } from './routes.ts';
import type { Scene } from './scene.ts';
import type { Portion } from './sets.ts';
import { liveReleases, type SetRecord } from './standing.ts';
import type { Step } from './step.ts';

/**
 * Starts instances, those of each service behind those that it needs; at the end all of them are known to be healthy.
 * A stateful set takes the place of its predecessor here, because two may not write to one volume.
 * @param needed services for which something outside of the release waits
 */
export function startWaves(draft: Draft, portions: readonly Portion[], needed: ReadonlySet<string> = new Set()): Waves {
  const by = new Map(portions.map((portion) => [portion.set.record.service, portion]));
  const { gates, levelsOf } = draft.scene;
  const isEarly = ({ set: { record } }: Portion): boolean =>
    gates.has(record.service) || needed.has(record.service) || draft.predecessors.has(record.service);
  const late = portions.filter((portion) => !isEarly(portion));
  return [
    ...levelsOf(new Set(by.keys())).flatMap((level) => {
      const starting = level.map((name) => by.get(name)!);
      return levelWaves(draft, starting, starting.filter(isEarly));
    }),
    ...fitWaves(draft.scene, late),
  ];
}

function levelWaves(draft: Draft, starting: readonly Portion[], early: readonly Portion[]): Waves {
  const { scene, predecessors, changes } = draft;
  const replacing = starting.filter(({ set }) => predecessors.has(set.record.service));
  if (replacing.length === 0)
    return [starting.flatMap((portion) => startSteps(scene, portion)), ...fitWaves(scene, early)];
  const services = new Set(replacing.map(({ set }) => set.record.service));
  return [
    replacing.flatMap((portion) => hooksOfPredecessors(draft, portion)),
    replacing.flatMap((portion) => stopPredecessors(draft, portion)),
    replacing.flatMap(({ set }) => joinLiveNetworks(scene, set.record)),
    starting.flatMap((portion) => startSteps(scene, portion)),
    ...fitWaves(scene, early),
    replacing.flatMap((portion) => addToLanes(portion, scene)),
    switchSteps(
      'its predecessor is stopped',
      changesWhere(changes, ({ service }) => services.has(service)),
    ),
  ];
}

function stopPredecessors({ predecessors }: Draft, { set }: Portion): readonly Step[] {
  const cause = `${set.record.service} is replaced on the same volume: ${set.cause}`;
  return (predecessors.get(set.record.service) ?? []).flatMap((old) =>
    stepEach(cause, old.instances, [{ kind: 'stop-instance' }]),
  );
}

function hooksOfPredecessors({ predecessors, scene }: Draft, { set }: Portion): readonly Step[] {
  return (predecessors.get(set.record.service) ?? []).flatMap((old) =>
    hookSteps(scene.releases.get(old.origin), old, { hook: 'pre_stop', instances: old.instances }),
  );
}

/** The releases that are alive find the new one under the old name. */
function joinLiveNetworks({ standing, target, releases }: Scene, record: SetRecord): readonly Step[] {
  return liveReleases(standing)
    .filter(({ release }) => release !== target.number)
    .flatMap(({ release }) => joinSteps(releases.get(release), record, `release ${release} uses it too`));
}

function startSteps({ target, releases }: Scene, { set: { record, cause }, newcomers }: Portion): readonly Step[] {
  const release = record.origin === target.number ? target : (releases.get(record.origin) ?? target);
  const hooks = record.job ? {} : hookedService(release, record.service);
  return stepEach(cause, namesOf(newcomers), [{ kind: 'start-instance', stateful: record.stateful, ...hooks }]);
}

/** A migration may take its time; Ctrl-C ends it earlier. */
const JOB_TIMEOUT_MS = 3_600_000;

/** Health, then what the Compose file wants to be done in a new instance. */
function fitWaves(scene: Scene, portions: readonly Portion[]): Waves {
  return [
    portions.flatMap((portion) => waitSteps(scene, portion)),
    portions
      .filter(({ set: { record } }) => hooksOf(scene.target, record.service, 'post_start').length > 0)
      .flatMap(({ set: { record }, newcomers }) =>
        hookSteps(scene.target, record, { hook: 'post_start', instances: namesOf(newcomers) }),
      ),
  ];
}

function namesOf(newcomers: Portion['newcomers']): readonly string[] {
  return newcomers.map(({ instance }) => instance);
}

function waitSteps(scene: Scene, { set: { record }, newcomers }: Portion): readonly Step[] {
  if (record.job) {
    return stepEach('others wait for it', namesOf(newcomers), [{ kind: 'wait-completed', timeoutMs: JOB_TIMEOUT_MS }]);
  }
  return stepEach('capacity before traffic', namesOf(newcomers), [
    { ...scene.fitnessOf(record), kind: 'wait-healthy' },
  ]);
}

/** The cause of commands that stand in the Compose file. */
export const DECLARED = 'declared in the Compose file';

/** Commands that a release declares for the beginning or the end of an instance. */
export function hookSteps(
  release: Release | undefined,
  set: Pick<SetRecord, 'service' | 'job'>,
  o: { readonly hook: 'post_start' | 'pre_stop'; readonly instances: readonly string[] },
): readonly Step[] {
  return stepEach(DECLARED, o.instances, hookBodies(release, set, o.hook));
}

/** None, or the one step of each instance. */
export function hookBodies(
  release: Release | undefined,
  { service, job }: Pick<SetRecord, 'service' | 'job'>,
  hook: 'post_start' | 'pre_stop',
): readonly InstanceBody<'run-hooks'>[] {
  const model = release?.model.services[service];
  if (release === undefined || model === undefined || job || !hasHooks(model, hook)) return [];
  return [{ kind: 'run-hooks', release: release.number, service, hook }];
}

function hasHooks(service: Service, hook: 'post_start' | 'pre_stop'): boolean {
  return (service[hook] ?? []).length > 0;
}
