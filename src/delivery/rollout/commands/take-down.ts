import { UserError } from '../../../lib/errors.ts';
import type { DownRequest, WatchOptions } from '../face.ts';
import type { Running } from '../execute/locks.ts';
import type { RolloutOutcome } from '../outcome.ts';
import type { Parts } from '../parts.ts';
import { planDown } from '../plan/down.ts';
import { lookAround } from '../plan/planning.ts';
import { certificatesOf } from '../plan/prepare-certificates.ts';
import { settleOpen } from '../execute/resume.ts';
import { makersOf } from '../upkeep/retire.ts';
import { runPlan } from '../execute/run-rollout.ts';
import { isEmptyStanding } from '../plan/standing.ts';

/** Ends everything of a project. Once begun it goes on to its end. */
export async function takeDown(parts: Parts, request: DownRequest, watch: WatchOptions): Promise<RolloutOutcome> {
  const { project, author } = request;
  const who = { kind: 'down', author, startedAt: parts.now() } as const;
  const outcome = await parts.locks.hold(project, who, (running) => takeAllDown(parts, request, { running, watch }));
  if (isNothingLeft(parts)) {
    await parts.stopTraffic();
    parts.files.release();
  }
  return outcome;
}

async function takeAllDown(
  parts: Parts,
  { project, volumes }: DownRequest,
  { running, watch }: { readonly running: Running; readonly watch: WatchOptions },
): Promise<RolloutOutcome> {
  await parts.ensureTraffic();
  await settleOpen(parts, project, running);
  await parts.asides.cleared(project, 'all', AbortSignal.any([watch.signal, parts.stopping]));
  const { observed, standing, state } = await lookAround(parts, project);
  const certificates = certificatesOf(project, state);
  const current = standing.current === undefined ? undefined : parts.releases.find(project, standing.current.release);
  const releases = makersOf(parts, project, observed.fleet.instances);
  const plan = planDown({ project, standing, observed, current, volumes, releases, certificates });
  if (plan.unchanged) return nothingToDo(project, watch);
  const outcome = await runPlan(parts, { plan, running, watch });
  requireDone(parts, outcome);
  return outcome;
}

function nothingToDo(project: string, watch: WatchOptions): RolloutOutcome {
  const outcome: RolloutOutcome = { project, kind: 'down', result: 'unchanged', durationMs: 0, ports: [] };
  watch.onProgress({ type: 'finished', outcome });
  return outcome;
}

/** No project is alive, and none is about to be. */
function isNothingLeft({ journal, locks }: Parts): boolean {
  return locks.isFree() && journal.standingProjects().every((project) => isEmptyStanding(journal.standing(project)));
}

function requireDone({ journal }: Parts, { project, rollout }: RolloutOutcome): void {
  const failed = journal.steps(project, rollout ?? 0).filter(({ outcome }) => outcome === 'failed');
  if (failed.length === 0) return;
  throw new UserError({
    code: 'down-incomplete',
    kind: 'failed',
    message: `"${project}" is not wholly down: ${failed.map(({ reason }) => reason).join('; ')}`,
    fix: 'Run `bascule down` again; what is gone already stays gone.',
    details: { project },
  });
}
