import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, UserError } from '../../../lib/errors.ts';
import type { Log } from '../../../lib/log.ts';
import { act } from './handlers.ts';
import type { Journal, RolloutRecord, StepRecord } from './journal.ts';
import type { Failure, PlannedStep } from '../outcome.ts';
import type { Moved } from '../../traffic/index.ts';
import { cancellableUntil, pointOfNoReturn, undoWaves } from '../plan/undo.ts';
import type { ProgressEvent } from '../progress.ts';
import { sayPaused } from '../judge/stage-decision.ts';
import type { Step, StepKind } from '../plan/step.ts';
import { titleOf } from '../plan/step-title.ts';
import type { World } from './world.ts';

export interface Execution {
  readonly world: World;
  readonly journal: Journal;
  readonly log: Log;
  onProgress(event: ProgressEvent): void;
  /** The user's Ctrl-C. */
  readonly cancel: AbortSignal;
  /** Who aborted it, where it was not the one who waits for it. */
  cancelledBy(): string | undefined;
  /** The daemon ends: the rollout stays open, and goes on after the next start. */
  readonly stopping: AbortSignal;
  /** What an instance said before it failed. */
  collectEvidence(error: unknown, step: PlannedStep | undefined): Promise<Failure>;
  /** For the user who looks on. */
  onStep(step: PlannedStep, undoing: boolean): void;
}

/** The daemon ends in the middle of a rollout: not a failure, nothing is written down. */
export class Interrupted extends Error {}

/**
 * Carries a rollout on from where its journal stands, to one end: forward, or back when a step fails (or the user
 * cancels) before the point of no return. Runs again after a crash at any moment.
 * @throws Interrupted when `stopping` fires
 */
export async function carryOn(rollout: RolloutRecord, o: Execution): Promise<RolloutRecord> {
  let record = rollout;
  if (record.phase === 'running') {
    const failure = await goForward(record, o);
    if (failure !== undefined) record = turnBack(record, failure, o);
  }
  if (record.phase === 'undoing') await goBack(record, o);
  const result = record.phase === 'undoing' ? 'undone' : record.kind === 'down' ? 'removed' : 'switched';
  return o.journal.close(record, { result, nowMs: o.world.now().getTime() });
}

async function goForward(record: RolloutRecord, o: Execution): Promise<Failure | undefined> {
  const waves = stepWaves(o.journal.steps(record.project, record.number).filter((each) => !each.undoing));
  const plan = { kind: record.kind, waves: waves.map((wave) => wave.map((each) => each.step)) };
  const end = pointOfNoReturn(plan);
  const cancellable = cancellableUntil(plan);
  for (const [index, wave] of waves.entries()) {
    if (index >= end) {
      await runWaveToTheEnd(record, wave, o);
      continue;
    }
    if (index <= cancellable) await holdWhilePaused(record, wave, o);
    if (index <= cancellable && o.cancel.aborted) return cancelled(o);
    const cancel = index < cancellable ? o.cancel : NEVER;
    const failure = await runWave(record, wave, { ...o, cancel });
    if (failure !== undefined) return failure;
  }
  return undefined;
}

const NEVER = new AbortController().signal;

/** A person has paused it: nothing more begins. Steps that wait hold by themselves, and go on watching. */
async function holdWhilePaused(record: RolloutRecord, wave: readonly StepRecord[], o: Execution): Promise<void> {
  if (wave.some(({ step, outcome }) => outcome === 'done' || HOLDING.has(step.kind))) return;
  const { controls, board, changes } = o.world;
  const { project, number: rollout } = record;
  const key = { project, rollout };
  const signal = AbortSignal.any([o.cancel, o.stopping]);
  for (;;) {
    if (o.stopping.aborted) throw new Interrupted('the daemon ends');
    const { paused, promoted } = controls.steering(key);
    if (paused === undefined || promoted !== undefined || signal.aborted) break;
    board.update(key, { activity: { state: 'paused', note: sayPaused(paused) } });
    await changes.next(project, { withinMs: LONGEST_HOLD_MS, signal });
  }
  if (board.of(key).activity.state !== 'running') board.update(key, { activity: { state: 'running' } });
}
const HOLDING = new Set<StepKind>(['analyse', 'monitor', 'delay']);
const LONGEST_HOLD_MS = 60_000;

function stepWaves(steps: readonly StepRecord[]): readonly (readonly StepRecord[])[] {
  const waves = new Map<number, StepRecord[]>();
  for (const each of steps) waves.set(each.wave, [...(waves.get(each.wave) ?? []), each]);
  return [...waves].sort(([a], [b]) => a - b).map(([, wave]) => wave);
}

/** The steps of a wave side by side; the first failure ends the waits of the others. */
async function runWave(record: RolloutRecord, wave: readonly StepRecord[], o: Execution): Promise<Failure | undefined> {
  const todo = wave.filter(({ outcome }) => outcome !== 'done');
  if (todo.length === 0) return undefined;
  begin(record, todo, o);
  const failed = new AbortController();
  const signal = AbortSignal.any([o.cancel, o.stopping, failed.signal]);
  let first: { readonly error: unknown; readonly step: StepRecord } | undefined;
  await Promise.all(
    todo.map(async (each) => {
      const error = await runStep(record, each, { ...o, signal });
      if (error === undefined) return;
      first ??= { error, step: each };
      failed.abort();
    }),
  );
  if (first === undefined) return undefined;
  if (o.stopping.aborted) throw new Interrupted('the daemon ends');
  return o.cancel.aborted ? cancelled(o) : await o.collectEvidence(first.error, plannedOf(first.step));
}

/** Behind the point of no return, and backward, a step that fails is tried again, then left and reported. */
async function runWaveToTheEnd(record: RolloutRecord, wave: readonly StepRecord[], o: Execution): Promise<void> {
  const todo = wave.filter(({ outcome }) => outcome !== 'done');
  if (todo.length > 0) begin(record, todo, o);
  await Promise.all(todo.map((each) => runStepToTheEnd(record, each, o)));
}

async function runStepToTheEnd(record: RolloutRecord, each: StepRecord, o: Execution): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const error = await runStep(record, each, { ...o, signal: o.stopping });
    if (o.stopping.aborted && error !== undefined) throw new Interrupted('the daemon ends');
    if (error === undefined) return;
    const isAway = error instanceof UserError && error.kind === 'unavailable';
    if (attempt >= (isAway ? ATTEMPTS_WHILE_AWAY : ATTEMPTS)) {
      return o.onProgress({ type: 'warning', message: `${titleOf(each.step)} failed: ${messageOf(error)}` });
    }
    await delay(isAway ? AWAY_MS : RETRY_MS * attempt);
  }
}
const ATTEMPTS = 3;
const RETRY_MS = 200;
/** An engine or a proxy that does not answer may be starting again. */
const ATTEMPTS_WHILE_AWAY = 60;
const AWAY_MS = 1_000;

function begin(record: RolloutRecord, todo: readonly StepRecord[], o: Execution): void {
  if (o.stopping.aborted) throw new Interrupted('the daemon ends');
  o.journal.begin(
    record,
    todo.map(({ seq }) => seq),
    o.world.now().getTime(),
  );
}

/** One step: announced, done, written down. Gives the error instead of throwing it. */
async function runStep(
  record: RolloutRecord,
  each: StepRecord,
  o: Execution & { readonly signal: AbortSignal },
): Promise<unknown> {
  const planned = plannedOf(each);
  const started = performance.now();
  let moved: Moved | undefined;
  o.onStep(planned, each.undoing);
  o.onProgress({ type: 'step-started', step: planned, undoing: each.undoing });
  try {
    await act(each.step as Parameters<typeof act>[0], {
      world: o.world,
      project: record.project,
      rollout: record,
      seq: each.seq,
      signal: o.signal,
      say: (message) => o.onProgress({ type: 'warning', message }),
      emit: o.onProgress,
      moved: (span) => (moved = span),
    });
  } catch (error) {
    if (o.stopping.aborted) return error;
    const durationMs = performance.now() - started;
    o.journal.end(record, each.seq, { outcome: 'failed', durationMs, reason: messageOf(error) });
    o.log.warn({ project: record.project, rollout: record.number, step: planned.title, err: error }, 'a step failed');
    o.onProgress({ type: 'step-failed', step: planned, durationMs, undoing: each.undoing, reason: messageOf(error) });
    return error;
  }
  const durationMs = performance.now() - started;
  o.journal.end(record, each.seq, { outcome: 'done', durationMs, ...(moved === undefined ? {} : { moved }) });
  o.onProgress({ type: 'step-done', step: planned, durationMs, undoing: each.undoing });
  return undefined;
}

function turnBack(record: RolloutRecord, failure: Failure, o: Execution): RolloutRecord {
  const waves = stepWaves(o.journal.steps(record.project, record.number));
  const plain: readonly (readonly Step[])[] = waves.map((wave) => wave.map((each) => each.step));
  const undo = undoWaves(plain, (wave, index) => waves[wave]?.[index]?.outcome !== 'pending');
  return o.journal.turnBack(record, failure, undo);
}

async function goBack(record: RolloutRecord, o: Execution): Promise<void> {
  const steps = o.journal.steps(record.project, record.number).filter((each) => each.undoing);
  for (const wave of stepWaves(steps)) await runWaveToTheEnd(record, wave, o);
}

export function plannedOf({ seq, step }: StepRecord): PlannedStep {
  return { index: seq, kind: step.kind, title: titleOf(step), cause: step.cause };
}

function cancelled({ cancelledBy }: Execution): Failure {
  const author = cancelledBy();
  const reason = author === undefined ? 'cancelled' : `aborted by ${author}`;
  return { cancelled: true, reason, fix: 'Run the command again when you like.', logs: [] };
}
