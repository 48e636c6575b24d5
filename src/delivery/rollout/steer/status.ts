import { mergeQuantiles, NO_DURATIONS, type Quantiles, quantileOf } from '../judge/analysis/index.ts';
import type { GuardView, RolloutStatus, SideView } from '../views.ts';
import type { LedgerStep } from '../outcome.ts';
import { statesOf } from '../judge/guards.ts';
import type { RolloutRecord, StepRecord } from '../execute/journal.ts';
import { ledgerMissing, ledgerStep } from '../ledger/ledger.ts';
import { isBackground } from '../outcome.ts';
import type { Parts } from '../parts.ts';
import type { Activity, Progress } from '../judge/progress.ts';
import { failedOf } from '../judge/samples-tally.ts';
import type { LaneSamples, LaneSide, RolloutKey } from '../judge/samples.ts';
import type { StepOf } from '../plan/step.ts';
import { sayPaused } from '../judge/stage-decision.ts';
import { strategyOf } from '../plan/strategy-of.ts';
import { verdictOfProgress } from '../judge/verdict-of-progress.ts';
import { requireProject } from '../commands/views.ts';

/** The rollout that runs, else the last one that somebody asked for. */
export function rolloutStatus(parts: Parts, project: string): RolloutStatus {
  const running = parts.locks.running(project);
  if (running !== undefined && !isBackground(running.kind)) {
    const record = running.rollout === 0 ? undefined : parts.journal.find(project, running.rollout);
    return record === undefined ? preparing(parts, project) : statusOf(parts, record);
  }
  requireProject(parts, project);
  const last = parts.journal.latest(project);
  if (last === undefined) throw ledgerMissing(project, undefined);
  return statusOf(parts, last);
}

/** Before the plan is written down. */
function preparing({ locks, journal }: Parts, project: string): RolloutStatus {
  const { kind, author, startedAt, cancel } = locks.running(project)!;
  return {
    project,
    rollout: journal.nextNumber(project),
    kind,
    author,
    startedAt,
    state: 'running',
    note: cancel.signal.aborted ? 'it ends before anything was changed' : 'its images are prepared, then it is planned',
    steps: [],
    routes: [],
    guards: [],
  };
}

export function statusOf(parts: Parts, record: RolloutRecord): RolloutStatus {
  const { project, number: rollout, kind, author, from, to, endedMs, result, failure } = record;
  const key = { project, rollout };
  const steps = parts.journal.steps(project, rollout);
  const progress = parts.board.of(key);
  const verdict = verdictOfProgress(progress);
  const sides = sidesOf(parts, record, progress);
  const activity = activityOf(parts, record, progress);
  const stage = record.phase === 'running' ? progress.activity.stage : undefined;
  return {
    project,
    rollout,
    kind,
    strategy: strategyOf(steps),
    author,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    startedAt: new Date(record.startedMs),
    ...(endedMs === undefined ? {} : { endedAt: new Date(endedMs) }),
    ...activity,
    steps: steps.map((each): LedgerStep => ledgerStep(each, record)),
    ...(stage === undefined ? {} : { stage: viewOfStage(stage) }),
    routes: routesOf(steps, stage),
    ...(sides === undefined ? {} : { sides }),
    ...(verdict === undefined ? {} : { verdict }),
    guards: guardsOf(parts, record, progress),
    ...(result === undefined ? {} : { result }),
    ...(failure === undefined ? {} : { failure }),
  };
}

function activityOf(
  { controls }: Parts,
  { project, number: rollout, phase, failure }: RolloutRecord,
  { activity }: Progress,
): Pick<RolloutStatus, 'state' | 'note'> {
  if (phase === 'ended') return { state: 'ended' };
  if (phase === 'undoing') return { state: 'undoing', ...(failure === undefined ? {} : { note: failure.reason }) };
  const { aborted, promoted, paused } = controls.steering({ project, rollout });
  if (aborted !== undefined) return { state: 'undoing', note: `aborted by ${aborted.author}` };
  const { state, note } = activity;
  if (promoted !== undefined) return { state: 'running', note: `promoted by ${promoted.author}` };
  if (paused !== undefined) return { state: 'paused', note: sayPaused(paused) };
  return { state, ...(note === undefined ? {} : { note }) };
}

type Stage = NonNullable<Activity['stage']>;

function viewOfStage({ seq: _, ...view }: Stage): NonNullable<RolloutStatus['stage']> {
  return view;
}

function guardsOf({ board, releases }: Parts, record: RolloutRecord, progress: Progress): readonly GuardView[] {
  const { project, number: rollout, to, phase } = record;
  const model = to === undefined ? undefined : releases.find(project, to)?.model;
  const isWatching = progress.activity.stage !== undefined && phase === 'running';
  const states =
    model === undefined || !isWatching
      ? progress.guards
      : statesOf({ board, rollout: { project, rollout }, policy: model.settings.analysis, guarded: [] });
  return states.map(({ name, state, value, detail }) => ({
    name,
    state,
    detail,
    ...(value === undefined ? {} : { value }),
  }));
}

/** The weight of each route by the last step that set it; what a person holds stands before it. */
function routesOf(steps: readonly StepRecord[], stage: Stage | undefined): RolloutStatus['routes'] {
  const weights = new Map<string, number>();
  for (const { step, outcome, undoing } of steps) {
    if (step.kind !== 'set-weights' && step.kind !== 'switch-routes') continue;
    for (const change of step.changes)
      if (outcome === 'done') weights.set(change.route, pointsOf(change, undoing));
      else if (!weights.has(change.route)) weights.set(change.route, 0);
  }
  const analysed = new Set(
    steps.flatMap(({ step, seq }) =>
      seq === stage?.seq ? (step as StepOf<'analyse'>).sides.map(({ route }) => route) : [],
    ),
  );
  return [...weights].map(([route, weight]) => ({
    route,
    service: route.split('/')[1] ?? '',
    weight: analysed.has(route) ? (stage?.weight ?? weight) : weight,
  }));
}

type Change = StepOf<'set-weights'>['changes'][number] | StepOf<'switch-routes'>['changes'][number];

/** A route whose candidate has become its stable side has all of it; one that was taken back has nothing. */
function pointsOf({ to }: Change, undoing: boolean): number {
  const whole = undoing ? 0 : 10_000;
  if (to === undefined || typeof to === 'string') return whole;
  return to.candidate === null ? whole : to.weight;
}

function sidesOf({ collector }: Parts, record: RolloutRecord, progress: Progress): RolloutStatus['sides'] {
  const { project, number: rollout, from, to } = record;
  if (from === undefined || to === undefined) return undefined;
  const key = { project, rollout };
  const lanes = collector.sides(key);
  const has = (side: LaneSide): boolean => lanes.some((lane) => lane.side === side);
  if (!has('stable') || !has('candidate')) return undefined;
  const slow = progress.comparison?.analysis.metrics.find(({ metric }) => metric === 'slow');
  const view = (side: 'stable' | 'candidate', release: number): SideView => ({
    release,
    ...tallied(
      collector,
      key,
      lanes.filter((lane) => lane.side === side),
    ),
    slow: slow?.[side].hits ?? 0,
  });
  return { stable: view('stable', from), candidate: view('candidate', to) };
}

function tallied(
  collector: Parts['collector'],
  key: RolloutKey,
  lanes: readonly LaneSamples[],
): Omit<SideView, 'release' | 'slow'> {
  const sum = (of: (lane: LaneSamples) => number): number => lanes.reduce((total, lane) => total + of(lane), 0);
  const responses = lanes.reduce<Quantiles>((all, lane) => mergeQuantiles(all, lane.responses), NO_DURATIONS);
  const [p50Ms, p95Ms, p99Ms] = [0.5, 0.95, 0.99].map((q) => quantileOf(responses, q));
  return {
    requests: sum(({ requests }) => requests),
    perSecond: sum(({ lane }) => collector.perSecond(key, lane)),
    failed: sum(failedOf),
    ...(p50Ms === undefined ? {} : { p50Ms }),
    ...(p95Ms === undefined ? {} : { p95Ms }),
    ...(p99Ms === undefined ? {} : { p99Ms }),
  };
}
