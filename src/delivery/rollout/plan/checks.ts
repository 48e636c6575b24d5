import type { JobSettings } from '../../compose/index.ts';
import { jobContainerName } from '../../fleet/index.ts';
import type { Release, ReleasedService } from '../../release/index.ts';
import { step, stepEach, wavesOf } from './plan.ts';
import type { Draft, Waves } from './draft.ts';
import { isAdded } from './routes.ts';
import type { Scene } from './scene.ts';
import type { Portion } from './sets.ts';
import type { SetRecord } from './standing.ts';
import type { Step } from './step.ts';

type Moment = JobSettings['at'];

/**
 * Jobs of a moment in the order of the Compose file. A rollback runs none: they are for the way forward. Nor does a
 * release that has other numbers of instances only: the same jobs have run for the same programs.
 */
export function jobsAt(scene: Scene, at: Moment): readonly (readonly [string, JobSettings])[] {
  const { kind, target } = scene;
  if (kind === 'rollback' || hasSamePrograms(scene)) return [];
  return Object.entries(target.model.settings.jobs).filter(([, job]) => job.at === at);
}

function hasSamePrograms({ target, releases, standing, force }: Scene): boolean {
  const before = standing.current === undefined ? undefined : releases.get(standing.current.release);
  return !force && before !== undefined && areSame(before, target);
}

function areSame(a: Release, b: Release): boolean {
  const services = Object.values(a.services);
  if (services.length !== Object.keys(b.services).length) return false;
  const isSame = ({ name, identity, ownIdentity }: ReleasedService): boolean => {
    const other = b.services[name];
    return other?.identity === identity && other.ownIdentity === ownIdentity;
  };
  return services.every(isSame) && JSON.stringify(a.model.settings.jobs) === JSON.stringify(b.model.settings.jobs);
}

/** One after the other; after each that expands what the old release uses, that must still do its work. */
export function jobWaves(scene: Scene, at: Moment): Waves {
  return jobsAt(scene, at).flatMap(([job, { timeoutMs, retries, migration }]) => {
    const { project, number: release } = scene.target;
    const instance = jobContainerName({ project, release, job });
    const body = { kind: 'run-job', instance, job, release, timeoutMs, retries } as const;
    const run = step(`declared to run ${at}`, { ...body, ...(migration === undefined ? {} : { migration }) });
    return wavesOf([run], migration === 'expand' ? oldSmokeTests(scene, job) : []);
  });
}

function oldSmokeTests({ standing, releases }: Scene, job: string): readonly Step[] {
  const { current } = standing;
  const release = current === undefined ? undefined : releases.get(current.release);
  if (current === undefined || release === undefined) return [];
  const cause = `the release that serves must still work after ${job}`;
  return current.sets.flatMap((set) => smokeSteps(release, set, { cause, instances: set.instances, after: job }));
}

/** Declared smoke tests of new instances. */
export function smokeTests({ scene }: Draft, portions: readonly Portion[]): readonly Step[] {
  return portions.flatMap(({ set: { record }, newcomers }) =>
    smokeSteps(scene.target, record, {
      cause: 'declared smoke test',
      instances: newcomers.map(({ instance }) => instance),
    }),
  );
}

function smokeSteps(
  release: Release,
  { service, network }: SetRecord,
  o: { readonly cause: string; readonly instances: readonly string[]; readonly after?: string },
): readonly Step[] {
  const model = release.model.services[service];
  const smoke = model?.settings.smoke;
  if (model === undefined || smoke === undefined) return [];
  const port = smoke.port ?? model.ports?.[0]?.target ?? Number(model.expose?.[0] ?? 80);
  const { path, status, timeoutMs } = smoke;
  const at = { ...(network === undefined ? {} : { network }), ...(o.after === undefined ? {} : { after: o.after }) };
  return stepEach(o.cause, o.instances, [{ kind: 'smoke-test', port, path, status, timeoutMs, ...at }]);
}

/** Requests that ask for it see the new sets before any traffic moves. */
export function previewSteps(draft: Draft): readonly Step[] {
  const { target } = draft.scene;
  const match = target.model.settings.preview;
  if (match === undefined) return [];
  return previewed(draft).map(({ route, to }) =>
    step('declared preview', { kind: 'set-preview', route, lane: to, match }),
  );
}

export function endOfPreview(draft: Draft): readonly Step[] {
  const { target } = draft.scene;
  const match = target.model.settings.preview;
  if (match === undefined) return [];
  return previewed(draft).map(({ route }) =>
    step('everybody sees it now', { kind: 'set-preview', route, lane: null, match }),
  );
}

function previewed({
  scene,
  changes,
  predecessors,
}: Draft): readonly { readonly route: string; readonly to: string }[] {
  if (scene.kind !== 'deploy') return [];
  return changes.http.flatMap((change) => {
    const { route, to, service } = change;
    return to === undefined || isAdded(change) || predecessors.has(service) ? [] : [{ route, to }];
  });
}
