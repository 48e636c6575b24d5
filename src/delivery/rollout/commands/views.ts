import { UserError } from '../../../lib/errors.ts';
import type { ObservedInstance } from '../../fleet/index.ts';
import type { Release, ReleaseState } from '../../release/index.ts';
import type { InstanceView, ProjectView, ReleaseView, RunningRollout } from '../views.ts';
import { viewOf } from '../execute/locks.ts';
import type { Parts } from '../parts.ts';
import { portsOf } from '../execute/run-rollout.ts';
import { liveSets, type SetRecord, type Standing, type WarmRelease } from '../plan/standing.ts';

export async function projectView(parts: Parts, project: string): Promise<ProjectView> {
  requireProject(parts, project);
  const { instances } = await parts.fleet.observe(project);
  const standing = parts.journal.standing(project);
  const rollout = viewOf(parts.locks.running(project));
  return {
    project,
    ...(standing.current === undefined ? {} : { release: standing.current.release }),
    warm: standing.warm.map((warm) => ({ release: warm.release, until: warmUntil(warm) })),
    ...(rollout === undefined ? {} : { rollout }),
    ports: portsOf(standing),
    instances: instances.map((instance) => instanceView(parts, instance, { standing, rollout })),
  };
}

function warmUntil({ sinceMs, keepMs }: WarmRelease): Date {
  return new Date((sinceMs ?? 0) + keepMs);
}

interface Moment {
  readonly standing: Standing;
  readonly rollout: RunningRollout | undefined;
}

function instanceView({ releases, withdrawn }: Parts, instance: ObservedInstance, moment: Moment): InstanceView {
  const { name, id, service, release, state, health, exitCode, restarts, startedAt } = instance;
  const set = liveSets(moment.standing).find(({ instances }) => instances.includes(name));
  const address = instance.addresses[set?.network ?? ''] ?? Object.values(instance.addresses)[0];
  return {
    name,
    id,
    service,
    release,
    role: roleOf(instance, moment),
    state,
    health,
    ...(exitCode === undefined ? {} : { exitCode }),
    image: releases.find(instance.project, release)?.services[service]?.imageSource ?? instance.imageId,
    ...(address === undefined ? {} : { address }),
    ...(startedAt === undefined ? {} : { startedAt }),
    restarts,
    ...(withdrawn.of(instance.project).get(name)?.id === id ? { isOut: true } : {}),
  };
}

function roleOf({ name, release }: ObservedInstance, { standing, rollout }: Moment): InstanceView['role'] {
  const { current, warm } = standing;
  const has = (sets: readonly SetRecord[]): boolean => sets.some(({ instances }) => instances.includes(name));
  if (current !== undefined && has(current.sets)) return 'current';
  const kept = warm.find(({ sets }) => has(sets));
  if (kept === undefined) return isComing(release, rollout) ? 'candidate' : 'leaving';
  return kept.keepMs === 0 ? 'leaving' : 'warm';
}

/** What no standing names any more, or not yet. */
function isComing(release: number, rollout: RunningRollout | undefined): boolean {
  if (rollout === undefined || rollout.undoing) return false;
  return rollout.kind === 'heal' || release === rollout.to;
}

/** Newest first. */
export function releaseViews(parts: Parts, project: string): readonly ReleaseView[] {
  requireProject(parts, project);
  const standing = parts.journal.standing(project);
  const served = parts.journal.served(project);
  const candidate = parts.locks.running(project)?.to;
  return parts.releases.list(project).map((release) => {
    const warm = standing.warm.find((each) => each.release === release.number);
    const state = stateOf(release.number, { standing, candidate, served });
    return releaseView(release, state, warm === undefined ? undefined : warmUntil(warm));
  });
}

interface Knowledge {
  readonly standing: Standing;
  readonly candidate: number | undefined;
  readonly served: ReadonlySet<number>;
}

function stateOf(number: number, { standing, candidate, served }: Knowledge): ReleaseState {
  if (standing.current?.release === number) return 'current';
  if (standing.warm.some(({ release }) => release === number)) return 'warm';
  if (candidate === number) return 'candidate';
  if (!served.has(number)) return 'failed';
  return number < standing.prunedBelow ? 'gone' : 'kept';
}

function releaseView(release: Release, state: ReleaseState, until: Date | undefined): ReleaseView {
  const { project, number, createdAt, author, sourceRevision, predecessor, services } = release;
  return {
    project,
    number,
    state,
    ...(until === undefined ? {} : { warmUntil: until }),
    createdAt,
    author,
    ...(sourceRevision === undefined ? {} : { sourceRevision }),
    ...(predecessor === undefined ? {} : { predecessor }),
    services: Object.values(services).map(({ name, imageSource, imageId, replicas, stateful, identity }) => ({
      name,
      image: imageSource,
      imageId,
      replicas,
      stateful,
      identity,
    })),
  };
}

export function requireProject({ releases }: Parts, project: string): void {
  if (releases.projects().includes(project)) return;
  const known = releases.projects();
  throw new UserError({
    code: 'project-not-found',
    kind: 'not-found',
    message: `there is no project "${project}"${known.length === 0 ? '' : ` (there are: ${known.join(', ')})`}`,
    fix: 'Run the command in the folder of the Compose file, or name the project with -p; `bascule up` makes it.',
    details: { project },
  });
}
