import { UserError } from '../../lib/errors.ts';
import type { Ledger, LedgerStep } from './face.ts';
import { plannedOf } from './execute.ts';
import type { Journal, RolloutRecord, StepRecord } from './journal.ts';
import { ledgerTraffic } from './lane-readings.ts';

/** The evidence of one rollout, out of its journal. */
export function ledgerOf(journal: Journal, record: RolloutRecord): Ledger {
  const steps = journal.steps(record.project, record.number);
  const traffic = ledgerTraffic(record.readings);
  const switchMs = switchDuration(steps);
  const { project, kind, author, from, to, endedMs, failure } = record;
  return {
    project,
    rollout: record.number,
    kind,
    author,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    startedAt: new Date(record.startedMs),
    ...(endedMs === undefined ? {} : { endedAt: new Date(endedMs) }),
    result: record.result ?? 'running',
    ...(failure === undefined ? {} : { failure }),
    steps: steps.map((each) => ledgerStep(each, record)),
    ...(switchMs === undefined ? {} : { switchMs }),
    traffic,
    totals: {
      requests: traffic.reduce((sum, lane) => sum + lane.requests, 0),
      lost: traffic.reduce((sum, lane) => sum + lane.lost, 0),
    },
  };
}

function ledgerStep(each: StepRecord, { phase }: RolloutRecord): LedgerStep {
  const { startedMs, durationMs, reason, undoing } = each;
  return {
    ...plannedOf(each),
    undoing,
    outcome: each.outcome === 'pending' && phase !== 'running' && !undoing ? 'skipped' : each.outcome,
    ...(startedMs === undefined ? {} : { startedAt: new Date(startedMs) }),
    ...(durationMs === undefined ? {} : { durationMs }),
    ...(startedMs === undefined || durationMs === undefined ? {} : { endedAt: new Date(startedMs + durationMs) }),
    ...(reason === undefined ? {} : { reason }),
  };
}

/** The wave that moved the traffic of the release: the longest of its steps, since they run side by side. */
export function switchDuration(steps: readonly StepRecord[]): number | undefined {
  const switches = steps.filter(
    ({ step, undoing, outcome }) =>
      !undoing && outcome === 'done' && (step.kind === 'switch-routes' || step.kind === 'switch-tcp'),
  );
  const last = switches.at(-1)?.wave;
  const durations = switches.filter(({ wave }) => wave === last).map(({ durationMs }) => durationMs ?? 0);
  return durations.length === 0 ? undefined : Math.max(...durations);
}

export function ledgerMissing(project: string, rollout: number | undefined): never {
  throw new UserError({
    code: 'ledger-not-found',
    kind: 'not-found',
    message: rollout === undefined ? `"${project}" has had no rollout yet` : `"${project}" has no rollout ${rollout}`,
    fix: 'Run `bascule releases` to see what was deployed.',
    details: { project, rollout },
  });
}
