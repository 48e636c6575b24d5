import { UserError } from '../../../lib/errors.ts';
import type { ControlRecord } from '../steer/control-record.ts';
import { plannedOf } from '../execute/execute.ts';
import type { Ledger, LedgerControl } from '../ledger-view.ts';
import type { LedgerStep } from '../outcome.ts';
import type { RolloutRecord, StepRecord } from '../execute/journal.ts';
import { readAfter } from './lane-readings.ts';
import { doubtsOf, probesOf, seriesOf, sidesOf, sourcesOf, totalsOf } from './ledger-evidence.ts';
import type { Parts } from '../parts.ts';
import { strategyOf } from '../plan/strategy-of.ts';
import { switchDuration } from './switch-duration.ts';
import { verdictOfProgress } from '../judge/verdict-of-progress.ts';
import { requireProject } from '../commands/views.ts';

/** The evidence of a rollout: the latest that a person asked for, by default. @throws UserError `ledger-not-found` */
export async function readLedger(parts: Parts, project: string, rollout?: number): Promise<Ledger> {
  const { journal, witness } = parts;
  const latest = journal.latest(project);
  const record = rollout === undefined ? latest : journal.find(project, rollout);
  if (record === undefined) throw ledgerMissing(project, rollout);
  const current = await upToDate(parts, record, latest);
  // No pause from here on: both tell of the same requests.
  const ledger = ledgerOf(parts, current);
  const series = seriesOf(witness.series({ project, rollout: record.number }));
  return series.points.length === 0 ? ledger : { ...ledger, series };
}

/** Newest first; without what only the ledger of one rollout has room for. */
export async function readLedgers(parts: Parts, project: string): Promise<readonly Ledger[]> {
  requireProject(parts, project);
  const records = parts.journal.list(project);
  const latest = parts.journal.latest(project);
  return await Promise.all(records.map(async (record) => ledgerOf(parts, await upToDate(parts, record, latest))));
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

function ledgerOf(parts: Parts, record: RolloutRecord): Ledger {
  const { project, number: rollout, kind, author, from, to, endedMs, failure } = record;
  const steps = parts.journal.steps(project, rollout);
  const progress = parts.board.of({ project, rollout });
  const sources = sourcesOf(parts, record);
  const switchMs = switchDuration(steps);
  const verdict = verdictOfProgress(progress);
  const revision = to === undefined ? undefined : parts.releases.find(project, to)?.sourceRevision;
  return {
    project,
    rollout,
    kind,
    author,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    startedAt: new Date(record.startedMs),
    ...(endedMs === undefined ? {} : { endedAt: new Date(endedMs) }),
    result: record.result ?? 'running',
    ...(failure === undefined ? {} : { failure }),
    ...(from === undefined || to === undefined ? {} : { strategy: strategyOf(steps) }),
    ...(revision === undefined ? {} : { revision }),
    steps: steps.map((each) => ledgerStep(each, record)),
    ...(switchMs === undefined ? {} : { switchMs }),
    controls: parts.controls.list({ project, rollout }).map(ledgerControl),
    traffic: sources.traffic,
    sides: sidesOf(sources.lanes),
    probes: probesOf(sources.testimony?.probes ?? []),
    ...(verdict === undefined ? {} : { verdict }),
    guards: progress.guards.map(({ name, state, value, detail }) => ({
      name,
      state,
      detail,
      ...(value === undefined ? {} : { value }),
    })),
    totals: totalsOf(sources),
    doubts: doubtsOf(sources),
  };
}

function ledgerControl({ atMs, author, action, reason }: ControlRecord): LedgerControl {
  return {
    at: new Date(atMs),
    author,
    action: action.kind,
    ...(action.kind === 'weight' ? { weight: action.weight } : {}),
    ...(reason === undefined ? {} : { reason }),
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
