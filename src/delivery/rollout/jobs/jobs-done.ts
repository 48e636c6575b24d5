import { UserError } from '../../../lib/errors.ts';
import type { RolloutOutcome } from '../outcome.ts';
import type { Parts } from '../parts.ts';

/**
 * Jobs behind the switch take nothing back when they fail: the new release serves on, and it is said.
 * @throws UserError `job-failed`
 */
export function requireJobsDone({ journal, jobs }: Parts, outcome: RolloutOutcome): void {
  const { project, rollout, release } = outcome;
  const failed = journal
    .steps(project, rollout ?? 0)
    .filter(({ step, outcome: end, undoing }) => step.kind === 'run-job' && end === 'failed' && !undoing)
    .flatMap(({ step, reason }) => (step.kind === 'run-job' ? [{ step, reason }] : []));
  const [first] = failed;
  if (outcome.result !== 'switched' || first === undefined) return;
  const last = jobs.of({ project, release: first.step.release, job: first.step.job }).at(-1);
  throw new UserError({
    code: 'job-failed',
    kind: 'failed',
    message: `release ${release} of "${project}" serves, but ${failed.map(({ reason }) => reason).join('; ')}`,
    fix: 'Traffic stays on the new release. Correct the job and deploy again; `--force` runs it again as it is.',
    details: { outcome, job: first.step.job, logs: last?.ended?.lines ?? [] },
  });
}
