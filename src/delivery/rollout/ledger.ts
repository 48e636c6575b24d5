import { UserError } from '../../lib/errors.ts';
import type { Ledger, LedgerStep } from './face.ts';
import { plannedOf } from './execute.ts';
import { switchDuration } from './switch-duration.ts';
import type { Journal, RolloutRecord, StepRecord } from './journal.ts';
import { ledgerTraffic, readAfter } from './lane-readings.ts';
import type { Parts } from './parts.ts';
import { requireProject } from './views.ts';

/** The evidence of a rollout: the latest that a person asked for, by default. @throws UserError `ledger-not-found` */
export async function readLedger(parts: Parts, project: string, rollout?: number): Promise<Ledger> {
  const { journal } = parts;
  const latest = journal.latest(project);
  const record = rollout === undefined ? latest : journal.find(project, rollout);
  if (record === undefined) throw ledgerMissing(project, rollout);
  return ledgerOf(journal, await upToDate(parts, record, latest));
}

/** Newest first. */
export async function readLedgers(parts: Parts, project: string): Promise<readonly Ledger[]> {
  requireProject(parts, project);
  const records = parts.journal.list(project);
  const latest = parts.journal.latest(project);
  return await Promise.all(
    records.map(async (record) => ledgerOf(parts.journal, await upToDate(parts, record, latest))),
  );
}

/** The latest rollout goes on counting until the next one begins. */
async function upToDate(
  parts: Parts,
  record: RolloutRecord,
  latest: RolloutRecord | undefined,
): Promise<RolloutRecord> {
  if (record.number !== latest?.number || record.phase !== 'ended') return record;
  return await readAfter(parts, record);
}

function ledgerOf(journal: Journal, record: RolloutRecord): Ledger {
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

/** A step as it is told. */
export function ledgerStep(each: StepRecord, { phase }: RolloutRecord): LedgerStep {
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

export function ledgerMissing(project: string, rollout: number | undefined): UserError {
  return new UserError({
    code: 'ledger-not-found',
    kind: 'not-found',
    message: rollout === undefined ? `"${project}" has had no rollout yet` : `"${project}" has no rollout ${rollout}`,
    fix: 'Run `bascule releases` to see what was deployed.',
    details: { project, rollout },
  });
}
