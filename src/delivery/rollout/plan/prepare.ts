import { imageNameOf, networksOf, placementsOf, volumesOf } from '../../fleet/index.ts';
import { step, uniquePlacements } from './plan.ts';
import type { Draft, Waves } from './draft.ts';
import { joinSteps } from './join.ts';
import type { Scene } from './scene.ts';
import type { PlacedSet, Portion } from './sets.ts';
import { type LiveRelease, liveReleases, setKey } from './standing.ts';
import type { Step } from './step.ts';

/**
 * Everything that new instances need, before any of them exists; and sets that serve both releases join the new one.
 * @param jobServices services of which jobs run, whether they start or not
 */
export function prepareWaves(draft: Draft, portions: readonly Portion[], jobServices: readonly string[]): Waves {
  const { scene, placed } = draft;
  const starting = placed.filter((set) => set.starting.length > 0).map((set) => set.record.service);
  return [
    resources(scene, [...new Set([...starting, ...jobServices])]),
    ...createWaves(draft, portions),
    placed.flatMap((set) => carryOver(scene, set)),
  ];
}

export function createWaves({ scene }: Draft, portions: readonly Portion[]): Waves {
  return [portions.flatMap((portion) => clearAway(scene, portion)), portions.flatMap(createSteps)];
}

function resources({ target, observed, kind }: Scene, used: readonly string[]): readonly Step[] {
  const networks = new Set(observed.fleet.networks.map(({ name }) => name));
  const volumes = new Set(observed.fleet.volumes);
  const cause = `release ${target.number}`;
  const kept = Object.values(target.services).map(({ name, imageId }) => {
    const imageName = imageNameOf({ project: target.project, release: target.number, service: name });
    return step(cause, { kind: 'keep-image', imageId, imageName });
  });
  return [
    ...(kind === 'rollback' ? [] : kept),
    ...networksOf(target.model, target.number)
      .filter(({ name }) => !networks.has(name))
      .map((network) => step(cause, { kind: 'create-network', network })),
    ...(used.length === 0 ? [] : volumesOf(target.model))
      .filter(({ name }) => !volumes.has(name))
      .map((volume) => step(cause, { kind: 'create-volume', volume })),
    ...uniquePlacements(used.flatMap((name) => placementsOf(target, name))).map((placement) =>
      step(cause, { kind: 'place-file', placement }),
    ),
  ];
}

/** Remains under the names that are needed now, for instance of a release that was warm once. */
function clearAway({ instances, hasRemainsOf }: Scene, { set, newcomers }: Portion): readonly Step[] {
  if (!hasRemainsOf(set.record.origin)) return [];
  return newcomers
    .filter(({ instance }) => instances.has(instance))
    .map(({ instance }) => step('left over, does not run', { kind: 'remove-instance', instance }));
}

/** A set that is carried over gets instances of the release that made it: they are alike. */
function createSteps({ set: { record, cause }, newcomers }: Portion): readonly Step[] {
  const { service, origin: release } = record;
  return newcomers.map(({ instance, index }) =>
    step(cause, { kind: 'create-instance', instance, release, service, index }),
  );
}

/** A set that is carried over answers to its name in the new release too; its new instances in all that use it. */
function carryOver(scene: Scene, { record, fresh, starting }: PlacedSet): readonly Step[] {
  if (fresh || record.job) return [];
  const isNew = new Set(starting.map(({ instance }) => instance));
  const kept = record.instances.filter((name) => !isNew.has(name));
  const on = scene.instances.get(kept[0] ?? '')?.networks ?? [];
  const joined = joinSteps(scene.target, { ...record, instances: kept }, 'carried over: unchanged', on);
  if (isNew.size === 0) return joined;
  const added = { ...record, instances: [...isNew] };
  const join = ({ release }: Pick<LiveRelease, 'release'>): readonly Step[] =>
    joinSteps(scene.releases.get(release), added, `release ${release} uses it too`);
  const others = liveReleases(scene.standing).filter(
    ({ release, sets }) =>
      release !== record.origin &&
      release !== scene.target.number &&
      sets.some((set) => setKey(set) === setKey(record)),
  );
  const own = record.origin === scene.target.number ? [] : joinSteps(scene.target, added, 'new instances');
  return [...joined, ...own, ...others.flatMap(join)];
}
