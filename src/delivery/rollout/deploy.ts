import { UserError } from '../../lib/errors.ts';
import { assertSupported } from '../compose/index.ts';
import type { Release } from '../release/index.ts';
import type { DeployRequest, PlanView, RollbackRequest, WatchOptions } from './face.ts';
import type { Running } from './locks.ts';
import type { RolloutKind, RolloutOutcome } from './outcome.ts';
import type { Parts } from './parts.ts';
import { describe, type Plan } from './plan.ts';
import { kindOf, planRelease } from './planning.ts';
import { findImages, releaseOf, resolveImages } from './prepare.ts';
import { settleOpen } from './resume.ts';
import { portsOf, runPlan } from './run-rollout.ts';
import { requireProject } from './views.ts';

/** Images, a frozen release, a plan, and the rollout. */
export async function deploy(parts: Parts, request: DeployRequest, watch: WatchOptions): Promise<RolloutOutcome> {
  const project = request.project.name;
  assertSupported(request.project);
  const kind = kindOf(parts.journal.standing(project));
  return await parts.locks.hold(project, holder(parts, kind, request.author), async (running) => {
    await parts.ensureTraffic();
    await settleOpen(parts, project, running);
    const target = await unlessCancelled(parts, watch, (signal) => freeze(parts, request, { ...watch, signal }));
    const decide = await unlessCancelled(parts, watch, () =>
      planRelease(parts, { kind, target, force: request.force }),
    );
    const plan = decide();
    if (plan.unchanged) return unchanged(parts, { kind, project, watch, started: running.startedAt });
    parts.releases.create(target, target.createdAt);
    return await runPlan(parts, { plan, running, watch });
  });
}

function holder({ now }: Parts, kind: RolloutKind, author: string): Pick<Running, 'kind' | 'author' | 'startedAt'> {
  return { kind, author, startedAt: now() };
}

/** The release that would be stored next; nothing of it exists yet but images and the contents of its files. */
async function freeze(parts: Parts, request: DeployRequest, watch: WatchOptions): Promise<Release> {
  const project = request.project.name;
  const images = await resolveImages(parts.fleet, request, watch);
  const files = await parts.files.keep(request.project, request.environment);
  const predecessor = parts.journal.standing(project).current?.release;
  const release = releaseOf(request, { images, files, predecessor });
  return { ...release, number: parts.releases.nextNumber(project), createdAt: parts.now() };
}

/** Before the plan is written down a cancelled command has nothing to undo; the daemon may end too. */
async function unlessCancelled<T>(
  { stopping }: Parts,
  watch: WatchOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const signal = AbortSignal.any([watch.signal, stopping]);
  try {
    signal.throwIfAborted();
    return await work(signal);
  } catch (cause) {
    if (!signal.aborted) throw cause;
    throw new UserError({
      code: 'rollout-cancelled',
      kind: 'cancelled',
      message: `cancelled before anything was changed${watch.signal.aborted ? '' : ': the daemon ends'}`,
      fix: 'Run the command again when you like.',
      cause,
    });
  }
}

interface Unchanged {
  readonly kind: RolloutKind;
  readonly project: string;
  readonly watch: WatchOptions;
  readonly started: Date;
}

function unchanged(parts: Parts, { kind, project, watch, started }: Unchanged): RolloutOutcome {
  const standing = parts.journal.standing(project);
  const outcome: RolloutOutcome = {
    project,
    kind,
    result: 'unchanged',
    ...(standing.current === undefined ? {} : { release: standing.current.release }),
    durationMs: parts.now().getTime() - started.getTime(),
    ports: portsOf(standing),
  };
  watch.onProgress({ type: 'finished', outcome });
  return outcome;
}

/** What `deploy` would do now. */
export async function dryRun(parts: Parts, request: DeployRequest): Promise<PlanView> {
  const project = request.project.name;
  assertSupported(request.project);
  await parts.ensureTraffic();
  const standing = parts.journal.standing(project);
  const images = await findImages(parts.fleet, request);
  const files = await parts.files.keep(request.project, request.environment);
  const release = releaseOf(request, { images, files, predecessor: standing.current?.release });
  const target = { ...release, number: parts.releases.nextNumber(project), createdAt: parts.now() };
  const plan = (await planRelease(parts, { kind: kindOf(standing), target, force: request.force }))();
  return planView(plan);
}

function planView({ project, kind, from, to, unchanged: isUnchanged, waves, warnings }: Plan): PlanView {
  return {
    project,
    kind,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    unchanged: isUnchanged,
    steps: isUnchanged ? [] : describe(waves),
    warnings: isUnchanged ? [] : warnings,
  };
}

/** Back to an earlier release: a mere switch while it is warm, else started again from its frozen images. */
export async function rollback(parts: Parts, request: RollbackRequest, watch: WatchOptions): Promise<RolloutOutcome> {
  const { project } = request;
  return await parts.locks.hold(project, holder(parts, 'rollback', request.author), async (running) => {
    await parts.ensureTraffic();
    await settleOpen(parts, project, running);
    const target = rollbackTarget(parts, request);
    const decide = await unlessCancelled(parts, watch, () =>
      planRelease(parts, { kind: 'rollback', target, force: false }),
    );
    const plan = decide();
    if (plan.unchanged) return unchanged(parts, { kind: 'rollback', project, watch, started: running.startedAt });
    await requireImages(parts, target, plan);
    return await runPlan(parts, { plan, running, watch });
  });
}

function rollbackTarget(parts: Parts, { project, release }: RollbackRequest): Release {
  const { journal, releases } = parts;
  requireProject(parts, project);
  const standing = journal.standing(project);
  const current = standing.current === undefined ? undefined : releases.find(project, standing.current.release);
  const number = release ?? current?.predecessor;
  if (number === undefined) throw nothingBefore(project, current?.number);
  const target = releases.get(project, number);
  if (!journal.served(project).has(number)) throw refusal(target, 'it never served: its own rollout failed');
  if (number < standing.prunedBelow) throw refusal(target, 'it lies beyond the rollback window, its images are gone');
  return target;
}

async function requireImages({ fleet }: Parts, target: Release, { waves }: Plan): Promise<void> {
  const services = new Set(waves.flat().flatMap((each) => (each.kind === 'create-instance' ? [each.service] : [])));
  for (const name of services) {
    const { imageId, imageSource } = target.services[name]!;
    if ((await fleet.findImage(imageId)) === undefined)
      throw refusal(target, `the image of ${name} (${imageSource}) is no longer on this machine`);
  }
}

function nothingBefore(project: string, current: number | undefined): UserError {
  return new UserError({
    code: 'rollback-nothing-before',
    kind: 'conflict',
    message:
      current === undefined
        ? `nothing of "${project}" serves: there is nothing to roll back`
        : `release ${current} of "${project}" has no predecessor to go back to`,
    fix: 'Run `bascule releases`, and name the release that you want: `bascule rollback N`.',
    details: { project },
  });
}

function refusal({ project, number }: Release, reason: string): UserError {
  return new UserError({
    code: 'rollback-refused',
    kind: 'conflict',
    message: `"${project}" cannot go back to release ${number}: ${reason}`,
    fix: 'Run `bascule releases` and choose another one. What serves now was not touched.',
    details: { project, release: number },
  });
}
