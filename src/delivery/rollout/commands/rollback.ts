import { UserError } from '../../../lib/errors.ts';
import type { Release } from '../../release/index.ts';
import type { PlanView } from '../views.ts';
import type { RollbackRequest, WatchOptions } from '../face.ts';
import type { RolloutOutcome } from '../outcome.ts';
import type { Parts } from '../parts.ts';
import type { Plan } from '../plan/plan.ts';
import { planRelease } from '../plan/planning.ts';
import { settleOpen } from '../execute/resume.ts';
import { holder, orAborted, planView, unchanged, unlessCancelled } from './roll-out.ts';
import { lookBeforehand, runPlan } from '../execute/run-rollout.ts';
import { requireProject } from './views.ts';

/** Back to an earlier release: a mere switch while it is warm, else started again from its frozen images. */
export async function rollback(parts: Parts, request: RollbackRequest, o: WatchOptions): Promise<RolloutOutcome> {
  const { project } = request;
  return await parts.locks.hold(project, holder(parts, 'rollback', request.author), async (running) => {
    const watch = orAborted(o, running);
    await parts.ensureTraffic();
    await settleOpen(parts, project, running);
    const target = rollbackTarget(parts, request);
    await unlessCancelled(parts, watch, (signal) => parts.asides.cleared(project, { release: target.number }, signal));
    const wish = { kind: 'rollback', target, force: false } as const;
    const [decide, counted] = await unlessCancelled(parts, watch, () =>
      Promise.all([planRelease(parts, wish), lookBeforehand(parts, project)]),
    );
    const plan = decide();
    if (plan.unchanged) return unchanged(parts, { kind: 'rollback', project, watch, started: running.startedAt });
    await requireImages(parts, target, plan);
    return await runPlan(parts, { plan, running, watch, counted });
  });
}

/** What `rollback` would do now. */
export async function planRollback(parts: Parts, request: RollbackRequest): Promise<PlanView> {
  await parts.ensureTraffic();
  const target = rollbackTarget(parts, request);
  const plan = (await planRelease(parts, { kind: 'rollback', target, force: false }))();
  await requireImages(parts, target, plan);
  return planView(plan);
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
  const contract = parts.jobs.contracts(project).find((each) => each.release > number);
  if (contract !== undefined) throw refusal(target, contracted(contract));
  if (number < standing.prunedBelow) throw refusal(target, 'it lies beyond the rollback window, its images are gone');
  return target;
}

function contracted({ job, release }: { readonly job: string; readonly release: number }): string {
  return `the migration "${job}" of release ${release} has contracted what it needs (migration: contract)`;
}

/** What does not run any more can be started again: else the release could not carry the load. */
async function requireImages({ fleet }: Parts, target: Release, { waves }: Plan): Promise<void> {
  const missing = new Map<string, number>();
  for (const each of waves.flat())
    if (each.kind === 'create-instance') missing.set(each.service, (missing.get(each.service) ?? 0) + 1);
  for (const [name, count] of missing) {
    const { imageId, imageSource, replicas } = target.services[name]!;
    if ((await fleet.findImage(imageId)) !== undefined) continue;
    const alive = `${Math.max(0, replicas - count)} of ${replicas} instances of ${name} run`;
    throw refusal(target, `${alive}, and its image (${imageSource}) is no longer on this machine`);
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
