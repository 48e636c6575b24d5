import { UserError } from '../../../lib/errors.ts';
import type { ControlRecord } from './control-record.ts';
import type { ControlRequest } from '../face.ts';
import type { RolloutStatus } from '../views.ts';
import type { RolloutRecord } from '../execute/journal.ts';
import type { Running } from '../execute/locks.ts';
import { isBackground } from '../outcome.ts';
import type { Parts } from '../parts.ts';
import { cancellableUntil } from '../plan/undo.ts';
import { rolloutStatus } from './status.ts';
import { strategyOf } from '../plan/strategy-of.ts';
import type { Step } from '../plan/step.ts';
import { requireProject } from '../commands/views.ts';

/**
 * Steers the rollout that runs. It is written down, then in force at once.
 * @throws UserError `no-rollout`, `rollout-preparing`, `rollout-undoing`, `rollout-decided`, `weight-invalid`,
 *   `weight-not-here`, `not-paused`
 */
export function control(parts: Parts, request: ControlRequest): RolloutStatus {
  const { project, author, action } = request;
  assertWeight(request);
  const running = parts.locks.running(project);
  if (running === undefined || isBackground(running.kind)) throw noRollout(parts, project);
  if (running.rollout === 0) return controlPreparation(parts, request, running);
  const record = parts.journal.find(project, running.rollout)!;
  assertOpen(parts, record);
  const key = { project, rollout: record.number };
  if (action.kind === 'weight') assertStage(parts, record);
  if (action.kind === 'resume') assertHeld(parts, record);
  const { awaits } = parts.board.of(key).activity;
  const confirms = action.kind === 'promote' && awaits !== undefined ? { confirms: awaits } : {};
  const said: ControlRecord = { atMs: parts.now().getTime(), author, action, ...confirms };
  parts.controls.put(key, said);
  parts.log.info({ ...key, author, action }, `${author}: ${action.kind}`);
  return rolloutStatus(parts, project);
}

/** Images are built, or a plan is made: there is nothing yet that could be held. */
function controlPreparation(
  parts: Parts,
  { project, author, action }: ControlRequest,
  running: Running,
): RolloutStatus {
  if (action.kind !== 'abort')
    throw new UserError({
      code: 'rollout-preparing',
      kind: 'conflict',
      message: `the ${running.kind} of "${project}" has no plan yet: its images are prepared`,
      fix: 'Wait a moment and try again; `bascule rollout abort` ends it now.',
      details: { project },
    });
  running.cancelledBy = author;
  running.cancel.abort();
  return rolloutStatus(parts, project);
}

function assertWeight({ action }: ControlRequest): void {
  if (action.kind !== 'weight') return;
  const { weight } = action;
  if (Number.isInteger(weight) && weight >= 0 && weight <= 10_000) return;
  throw new UserError({
    code: 'weight-invalid',
    kind: 'invalid',
    message: `a weight is between 0 and 100 percent (0 to 10,000 basis points), not ${weight}`,
    fix: 'Give a percentage: `bascule rollout weight 25`.',
  });
}

function noRollout(parts: Parts, project: string): UserError {
  requireProject(parts, project);
  const last = parts.journal.latest(project);
  const ended =
    last === undefined
      ? ''
      : `: the last one, the ${last.kind} number ${last.number}, has ended (${last.result ?? 'open'})`;
  return new UserError({
    code: 'no-rollout',
    kind: 'conflict',
    message: `no rollout of "${project}" runs${ended}`,
    fix:
      last?.result === 'switched'
        ? 'To go back to the release before: `bascule rollback`.'
        : 'Begin one: `bascule deploy`.',
    details: { project },
  });
}

/** It goes forward, and traffic has not tipped over. */
function assertOpen({ journal }: Parts, record: RolloutRecord): void {
  const { project, number, kind, phase } = record;
  if (phase === 'undoing')
    throw new UserError({
      code: 'rollout-undoing',
      kind: 'conflict',
      message: `the ${kind} of "${project}" is being taken back already: ${record.failure?.reason ?? 'it failed'}`,
      fix: 'Wait until it has ended: `bascule rollout watch`.',
      details: { project, rollout: number },
    });
  if (!isDecided(journal.steps(project, number), kind)) return;
  const isGoingAway = kind === 'down';
  throw new UserError({
    code: 'rollout-decided',
    kind: 'conflict',
    message: isGoingAway
      ? `"${project}" is being taken down: that only goes forward`
      : `the ${kind} of "${project}" has tipped over already: all traffic is on release ${record.to}`,
    fix: isGoingAway ? 'Wait until it has ended, then `bascule up`.' : 'To go back: `bascule rollback`.',
    details: { project, rollout: number },
  });
}

function isDecided(
  steps: readonly { readonly wave: number; readonly undoing: boolean; readonly outcome: string; readonly step: Step }[],
  kind: RolloutRecord['kind'],
): boolean {
  const forward = steps.filter(({ undoing }) => !undoing);
  const waves = [...Map.groupBy(forward, ({ wave }) => wave).values()].map((wave) => wave.map(({ step }) => step));
  const begun = forward.filter(({ outcome }) => outcome !== 'pending').map(({ wave }) => wave);
  return Math.max(-1, ...begun) >= cancellableUntil({ kind, waves });
}

function assertStage({ board, journal }: Parts, { project, number }: RolloutRecord): void {
  if (
    board.of({ project, rollout: number }).activity.stage !== undefined &&
    strategyOf(journal.steps(project, number)) === 'canary'
  )
    return;
  const strategy = strategyOf(journal.steps(project, number));
  const isCanary = strategy === 'canary';
  throw new UserError({
    code: 'weight-not-here',
    kind: 'conflict',
    message: isCanary
      ? `no stage of this canary of "${project}" has begun: its new instances are not ready for traffic`
      : `this rollout of "${project}" is ${strategy}: it has no weight that a person sets`,
    fix: isCanary
      ? 'Try again when its first stage runs: `bascule rollout watch`.'
      : 'Deploy with `--strategy canary` to give a release a part of the traffic.',
    details: { project, rollout: number },
  });
}

function assertHeld(parts: Parts, { project, number }: RolloutRecord): void {
  const { paused, weight } = parts.controls.steering({ project, rollout: number });
  if (paused !== undefined || weight !== undefined) return;
  const { awaits } = parts.board.of({ project, rollout: number }).activity;
  throw new UserError({
    code: 'not-paused',
    kind: 'conflict',
    message: `the rollout of "${project}" is not paused`,
    fix:
      awaits === undefined
        ? 'It goes on by itself: `bascule rollout watch`.'
        : 'It waits for a person: `bascule rollout promote` goes on.',
    details: { project, rollout: number },
  });
}
