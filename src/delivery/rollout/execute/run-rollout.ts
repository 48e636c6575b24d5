import { UserError } from '../../../lib/errors.ts';
import { collectEvidence } from './evidence.ts';
import { carryOn, Interrupted } from './execute.ts';
import type { WatchOptions } from '../face.ts';
import type { RolloutRecord } from './journal.ts';
import {
  countLanes,
  type LanesCounted,
  lanesInvolved,
  lanesRead,
  readAfter,
  readingsWith,
} from '../ledger/lane-readings.ts';
import { sourcesOf, totalsOf } from '../ledger/ledger-evidence.ts';
import { type Failure, isBackground, type PortView, type RolloutOutcome } from '../outcome.ts';
import { switchDuration } from '../ledger/switch-duration.ts';
import type { Running } from './locks.ts';
import type { Parts } from '../parts.ts';
import { describe, type Plan } from '../plan/plan.ts';
import { lanesOf, liveReleases, liveSets, type Standing } from '../plan/standing.ts';
import { strategyOf } from '../plan/strategy-of.ts';
import { verdictOfProgress } from '../judge/verdict-of-progress.ts';

/**
 * What a rollout needs before its first step and can be had while it is planned: what the lanes of all live releases
 * have counted. Meanwhile their requests begin to be seen.
 */
export async function lookBeforehand(parts: Parts, project: string): Promise<LanesCounted> {
  const { journal, observation, traffic } = parts;
  const lanes = [...lanesOf(liveSets(journal.standing(project))), ...lanesBefore(journal.latest(project))];
  const [counted] = await Promise.all([countLanes(traffic, lanes), observation.prepare(project)]);
  return counted;
}

function lanesBefore(last: RolloutRecord | undefined): readonly string[] {
  return last?.readings.map(lanesRead) ?? [];
}

/** A plan is written down, announced, carried out, and told. */
export async function runPlan(
  parts: Parts,
  o: {
    readonly plan: Plan;
    readonly running: Running;
    readonly watch: WatchOptions;
    /** By `lookBeforehand`; absent: the lanes are read when the plan is known. */
    readonly counted?: LanesCounted;
  },
): Promise<RolloutOutcome> {
  const { plan, running, watch, counted } = o;
  const opened = openRollout(parts, plan, running);
  const record = counted === undefined ? opened : readFrom(parts, opened, counted);
  for (const message of plan.warnings) watch.onProgress({ type: 'warning', message });
  watch.onProgress({
    type: 'planned',
    rollout: record.number,
    kind: plan.kind,
    project: plan.project,
    ...(plan.from === undefined ? {} : { from: plan.from }),
    ...(plan.to === undefined ? {} : { to: plan.to }),
    steps: describe(plan.waves),
  });
  return await runRecord(parts, { record, running, watch });
}

function openRollout({ journal, now }: Parts, plan: Plan, running: Running): RolloutRecord {
  const record = journal.open({
    project: plan.project,
    number: journal.nextNumber(plan.project),
    kind: plan.kind,
    author: running.author,
    ...(plan.from === undefined ? {} : { from: plan.from }),
    ...(plan.to === undefined ? {} : { to: plan.to }),
    startedMs: now().getTime(),
    waves: plan.waves,
    readings: readingsOf(journal.standing(plan.project), plan),
  });
  running.rollout = record.number;
  if (record.from !== undefined) running.from = record.from;
  if (record.to !== undefined) running.to = record.to;
  return record;
}

function readingsOf(standing: Standing, { waves, kind }: Plan): RolloutRecord['readings'] {
  if (isBackground(kind)) return [];
  const next = waves.flat().flatMap((each) => (each.kind === 'set-standing' ? [each.standing] : []));
  const current = [standing, ...next].flatMap((each) =>
    each.current === undefined ? [] : liveReleases(each).slice(0, 1),
  );
  return lanesInvolved(current);
}

/** Carries a rollout on to its end, from wherever its journal stands. */
export async function runRecord(
  parts: Parts,
  o: { readonly record: RolloutRecord; readonly running: Running; readonly watch: WatchOptions },
): Promise<RolloutOutcome> {
  const { running, watch } = o;
  const record = await begin(parts, o.record);
  const key = { project: record.project, rollout: record.number };
  const ended = await carryOn(record, {
    world: parts,
    journal: parts.journal,
    log: parts.log,
    onProgress: watch.onProgress,
    cancel: AbortSignal.any([watch.signal, running.cancel.signal, parts.controls.abortSignal(key)]),
    cancelledBy: () => running.cancelledBy ?? parts.controls.steering(key).aborted?.author,
    stopping: parts.stopping,
    collectEvidence: async (error, step) => hidden(parts, record, await collectEvidence(parts.fleet, error, step)),
    onStep: (step, undoing) => {
      running.step = step;
      running.undoing = undoing;
      parts.changes.touch(key.project);
    },
  })
    .catch(rethrown)
    .finally(() => parts.changes.touch(key.project));
  parts.observation.ended(ended);
  parts.witness.ended(ended);
  const outcome = outcomeOf(parts, await readAfter(parts, ended));
  watch.onProgress({ type: 'finished', outcome });
  if (ended.failure !== undefined) throw rolloutFailed(outcome, ended.failure);
  return outcome;
}

/** What programs printed may hold what they must not say. */
function hidden({ files, releases }: Parts, { project, to }: RolloutRecord, failure: Failure): Failure {
  const hide = files.hider(to === undefined ? undefined : releases.find(project, to));
  const { healthOutput } = failure;
  return {
    ...failure,
    reason: hide(failure.reason),
    logs: failure.logs.map(hide),
    ...(healthOutput === undefined ? {} : { healthOutput: hide(healthOutput) }),
  };
}

/** Its requests are seen and its lanes are read before anything moves. */
async function begin(parts: Parts, record: RolloutRecord): Promise<RolloutRecord> {
  // Both look on from the same moment: what one of them counts the other has seen.
  const observing = parts.observation.begin(record);
  parts.witness.begin(record);
  const [read] = await Promise.all([readBefore(parts, record), observing]);
  return read;
}

/**
 * The first reading of this rollout, which is the last one of the rollout before. After a crash the first reading is
 * kept, so that the ledger covers the whole rollout.
 */
async function readBefore(parts: Parts, record: RolloutRecord): Promise<RolloutRecord> {
  const { journal, traffic } = parts;
  if (record.readings.every(({ before }) => before !== undefined)) return record;
  const last = journal.latest(record.project, record.number);
  return readFrom(parts, record, await countLanes(traffic, [...record.readings.map(lanesRead), ...lanesBefore(last)]));
}

/** The same counts end the rollout before and begin this one. */
function readFrom({ journal }: Parts, record: RolloutRecord, counted: LanesCounted): RolloutRecord {
  const last = journal.latest(record.project, record.number);
  if (last !== undefined) journal.read(last, readingsWith(last.readings, counted, 'after'));
  const readings = readingsWith(record.readings, counted, 'before');
  journal.read(record, readings);
  return { ...record, readings };
}

function rethrown(error: unknown): never {
  if (!(error instanceof Interrupted)) throw error;
  throw new UserError({
    code: 'daemon-stopping',
    kind: 'unavailable',
    message: 'the daemon ends; the rollout stands in its journal',
    fix: 'Nothing is lost: it goes on when the daemon starts again.',
    cause: error,
  });
}

function outcomeOf(parts: Parts, record: RolloutRecord): RolloutOutcome {
  const { journal, now, board } = parts;
  const standing = journal.standing(record.project);
  const steps = journal.steps(record.project, record.number);
  const verdict = verdictOfProgress(board.of({ project: record.project, rollout: record.number }));
  const switchMs = switchDuration(steps);
  const warm = standing.warm.find(({ rollout }) => rollout === record.number);
  const previous = warm?.release ?? record.from;
  return {
    project: record.project,
    rollout: record.number,
    kind: record.kind,
    result: record.result ?? 'undone',
    ...(standing.current === undefined ? {} : { release: standing.current.release }),
    ...(previous === undefined || record.result !== 'switched' ? {} : { previous }),
    durationMs: (record.endedMs ?? now().getTime()) - record.startedMs,
    ...(switchMs === undefined ? {} : { switchMs }),
    ...(warm?.sinceMs == null ? {} : { warmUntil: new Date(warm.sinceMs + warm.keepMs) }),
    ports: portsOf(standing),
    ...(record.from === undefined || record.to === undefined ? {} : { strategy: strategyOf(steps) }),
    ...(verdict === undefined ? {} : { verdict }),
    ...(record.readings.length === 0 ? {} : { totals: clientTotals(parts, record) }),
    ...(record.failure === undefined ? {} : { failure: record.failure }),
  };
}

function clientTotals(parts: Parts, record: RolloutRecord): NonNullable<RolloutOutcome['totals']> {
  const { requests, lost } = totalsOf(sourcesOf(parts, record));
  return { requests, lost };
}

export function portsOf(standing: Standing): readonly PortView[] {
  return standing.ports.map(({ port, protocol, route, hostAddress }) => {
    const [, service = '', target = ''] = route.split('/');
    return {
      service,
      target: Number(target),
      published: port,
      protocol,
      ...(hostAddress === undefined ? {} : { hostAddress }),
    };
  });
}

function rolloutFailed(outcome: RolloutOutcome, failure: Failure): UserError {
  const serving = outcome.release === undefined ? 'nothing serves' : `release ${outcome.release} serves as before`;
  const what = `the ${outcome.kind} of "${outcome.project}"`;
  return new UserError({
    code: failure.cancelled ? 'rollout-cancelled' : 'rollout-failed',
    kind: failure.cancelled ? 'cancelled' : 'failed',
    message: failure.cancelled
      ? `${what} was ${failure.reason} and undone; ${serving}`
      : `${what} failed and was undone; ${serving}: ${failure.reason}`,
    fix: failure.fix,
    details: { outcome },
  });
}
