import { UserError } from '../../../lib/errors.ts';
import type { RequestSample, RouteShare, Traffic } from '../../traffic/index.ts';
import { NO_DURATIONS, type Verdict, verdictOf } from './analysis/index.ts';
import { addRequests, closeBlocks, type Comparison, newComparison, settingsOf, withRoutes } from './comparison.ts';
import { startGuards, statesOf } from './guards.ts';
import type { StepContext } from '../execute/world.ts';
import { hasLeft } from './samples-tally.ts';
import type { RolloutKey } from './samples.ts';
import { decideStage, type StageDecision, type StageView } from './stage-decision.ts';
import type { AnalysedRoute, StepOf } from '../plan/step.ts';

/** Samples are looked at together, so long after the first of them came: it bounds what a look costs. */
const LOOK_MS = 5;
const LONGEST_MS = 1_000;

/**
 * Waits while both sides serve, until the stage may end. All that it knows stands on the board, so that it goes on
 * after a crash with the evidence that was there.
 * @throws UserError `rollout-worse`, `rollout-guard`, `rollout-insufficient`; all traffic is on the stable side then
 */
export async function analyse(step: StepOf<'analyse'>, context: StepContext): Promise<void> {
  const stage = new Stage(step, context);
  const { board, changes } = context.world;
  await using guards = startGuards(stage.guards());
  void guards;
  const unsubscribe = stage.listen();
  try {
    for (;;) {
      context.signal.throwIfAborted();
      await stage.applyWeight();
      const decision = stage.look();
      if (decision.kind === 'end') return stage.end(decision.warning);
      if (decision.kind === 'fail') throw await stage.fail(decision);
      await changes.next(context.project, { withinMs: stage.nextLookMs(), signal: context.signal });
    }
  } finally {
    unsubscribe();
    board.flush();
  }
}

/** One stage while it runs. */
class Stage {
  readonly #step: StepOf<'analyse'>;
  readonly #context: StepContext;
  readonly #key: RolloutKey;
  #comparison: Comparison | undefined;
  #requests: number;
  #elapsedMs: number;
  #waitedMs: number;
  #lastLook = performance.now();
  #lacksEvidence = false;
  /** Undefined: not known, as after a crash. */
  #weight: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(step: StepOf<'analyse'>, context: StepContext) {
    this.#step = step;
    this.#context = context;
    this.#key = { project: context.project, rollout: context.rollout.number };
    const { board } = context.world;
    const before = board.of(this.#key).steps[context.seq];
    this.#weight = before === undefined ? step.weight : undefined;
    if (before === undefined) board.updateStep(this.#key, context.seq, { startedMs: context.world.now().getTime() });
    this.#requests = before?.requests ?? 0;
    this.#elapsedMs = before?.elapsedMs ?? 0;
    this.#waitedMs = before?.waitedMs ?? 0;
    this.#comparison = this.#openComparison();
  }

  #openComparison(): Comparison | undefined {
    const { collector, board } = this.#context.world;
    const settings = settingsOf(this.#policy().analysis);
    if (settings === undefined) return undefined;
    const lanes = collector.sides(this.#key);
    const known = board.of(this.#key).comparison ?? newComparison(settings);
    // What was open belongs to another weight.
    return withRoutes(closeBlocks(known, { all: true }), this.#step.sides, (lane) => {
      return lanes.find((each) => each.lane === lane)?.responses ?? NO_DURATIONS;
    });
  }

  #policy() {
    const { world, project, rollout } = this.#context;
    return world.releases.get(project, rollout.to ?? 0).model.settings;
  }

  guards(): Parameters<typeof startGuards>[0] {
    const { world, rollout, say } = this.#context;
    return {
      rollout: this.#key,
      policy: this.#policy().analysis,
      guarded: this.#step.guarded,
      fleet: world.fleet,
      board: world.board,
      now: () => world.now(),
      describe: () => ({
        ...this.#key,
        stable: rollout.from,
        candidate: rollout.to,
        weight: this.#weight ?? this.#step.weight,
      }),
      say,
    };
  }

  listen(): () => void {
    const { collector, changes } = this.#context.world;
    const look = (): void => {
      this.#timer = undefined;
      changes.touch(this.#key.project);
    };
    const unsubscribe = collector.onSamples(this.#key.project, (batch) => {
      this.#add(batch);
      this.#timer ??= setTimeout(look, LOOK_MS);
    });
    return () => {
      unsubscribe();
      clearTimeout(this.#timer);
    };
  }

  #add(batch: readonly RequestSample[]): void {
    const { sides } = this.#step;
    const answered = batch.filter(({ lane, route, chosenBy }) => {
      return (
        chosenBy !== 'preview' &&
        chosenBy !== 'client' &&
        chosenBy !== 'probe' &&
        sides.some((side) => side.candidate === lane && side.route === route)
      );
    });
    this.#requests += answered.filter((sample) => !hasLeft(sample)).length;
    if (this.#comparison !== undefined) this.#comparison = addRequests(this.#comparison, sides, batch);
  }

  /** The weight of the plan, or the one that a person holds. */
  async applyWeight(): Promise<void> {
    const { controls, traffic } = this.#context.world;
    const wanted = controls.steering(this.#key).weight?.points ?? this.#step.weight;
    if (wanted === this.#weight) return;
    if (this.#comparison !== undefined) this.#comparison = closeBlocks(this.#comparison, { all: true });
    await setWeights(traffic, this.#step.sides, wanted);
    this.#weight = wanted;
  }

  look(): StageDecision {
    const now = performance.now();
    const sinceMs = now - this.#lastLook;
    this.#lastLook = now;
    this.#elapsedMs += sinceMs;
    if (this.#lacksEvidence) this.#waitedMs += sinceMs;
    if (this.#comparison !== undefined) this.#comparison = closeBlocks(this.#comparison, { all: false });
    const view = this.#view();
    const decision = decideStage(view);
    this.#lacksEvidence = decision.kind === 'stay' && decision.lacksEvidence;
    this.#show(view, decision);
    return decision;
  }

  /** Until something can be decided by the clock alone. */
  nextLookMs(): number {
    const leftMs = (this.#step.until.forMs ?? 0) - this.#elapsedMs;
    return leftMs > 0 ? Math.min(LONGEST_MS, leftMs + 1) : LONGEST_MS;
  }

  #view(): StageView {
    const { world, seq } = this.#context;
    const { stage, stages, until } = this.#step;
    const { canary, analysis } = this.#policy();
    const guards = statesOf({ ...this.guards(), policy: analysis });
    return {
      seq,
      stage,
      stages,
      until,
      elapsedMs: this.#elapsedMs,
      requests: this.#requests,
      perSecond: this.#perSecond(),
      verdict: this.#verdict(),
      guards,
      isAsking: guards.some(({ askedMs }) => askedMs === undefined),
      steering: world.controls.steering(this.#key),
      onInsufficient: canary.onInsufficient,
      maxWaitMs: canary.maxWaitMs,
      waitedMs: this.#waitedMs,
    };
  }

  #perSecond(): number {
    const lanes = new Set(this.#step.sides.map(({ candidate }) => candidate));
    const { collector } = this.#context.world;
    return [...lanes].reduce((sum, lane) => sum + collector.perSecond(this.#key, lane), 0);
  }

  /** With one side only nothing more is learned; what was found to be worse before stays so. */
  #verdict(): Verdict | undefined {
    if (this.#comparison === undefined) return undefined;
    const share = this.#weight ?? this.#step.weight;
    const verdict = verdictOf(this.#comparison.analysis, { share });
    const hasBothSides = this.#step.sides.length > 0 && share > 0 && share < 10_000;
    return hasBothSides || verdict.verdict === 'fail' ? verdict : undefined;
  }

  #show(view: StageView, decision: StageDecision): void {
    const { board } = this.#context.world;
    const { seq, stage, stages, until, elapsedMs, requests, waitedMs } = view;
    board.updateStep(this.#key, seq, { elapsedMs, requests, waitedMs });
    const weight = this.#weight ?? this.#step.weight;
    board.update(this.#key, {
      ...(this.#comparison === undefined ? {} : { comparison: this.#comparison }),
      activity: {
        ...(decision.kind === 'stay' ? stayOf(decision, seq) : { state: 'running' }),
        stage: { seq, stage, stages, weight, until, elapsedMs },
      },
    });
  }

  end(warning: string | undefined): void {
    const { world, say } = this.#context;
    if (warning !== undefined) say(warning);
    world.board.update(this.#key, { activity: { state: 'running' } });
  }

  /** Away from the candidate first; all the rest can wait. */
  async fail({ code, reason }: Extract<StageDecision, { kind: 'fail' }>): Promise<UserError> {
    const { traffic, board } = this.#context.world;
    // Taking the rollout back does it once more.
    await setWeights(traffic, this.#step.sides, 0).catch(() => {});
    const instance = board.of(this.#key).guards.find(({ state }) => state === 'failed')?.instance;
    return new UserError({
      code,
      kind: 'failed',
      message: reason,
      fix: FIXES[code],
      ...(code === 'rollout-guard' && instance !== undefined ? { details: { instance } } : {}),
    });
  }
}

const FIXES = {
  'rollout-worse': 'Correct the new release and deploy again; `bascule ledger` has the evidence.',
  'rollout-guard': 'Correct what the guard found and deploy again; `bascule ledger` has the evidence.',
  'rollout-insufficient':
    'Deploy while there is more traffic, or give the stage a higher weight or more time; `x-bascule.canary.on_insufficient` says what happens without evidence.',
} as const;

function stayOf(
  { state, note, awaits }: Extract<StageDecision, { kind: 'stay' }>,
  seq: number,
): { readonly state: typeof state; readonly note?: string; readonly awaits?: number } {
  return { state, ...(note === undefined ? {} : { note }), ...(awaits === true ? { awaits: seq } : {}) };
}

/** The shares as they are, at another weight. */
async function setWeights(
  traffic: Pick<Traffic, 'observe' | 'setRoutes'>,
  sides: readonly AnalysedRoute[],
  weight: number,
): Promise<void> {
  const { routes } = await traffic.observe();
  const shares = sides.flatMap(({ route }): readonly (readonly [string, RouteShare])[] => {
    const share = routes.get(route);
    return share === undefined || share.candidate === null ? [] : [[route, { ...share, weight }]];
  });
  if (shares.length > 0) await traffic.setRoutes(new Map(shares));
}
