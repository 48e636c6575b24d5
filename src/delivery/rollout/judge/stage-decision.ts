import { formatDuration } from '../../../lib/duration.ts';
import type { Verdict } from './analysis/index.ts';
import type { Steering } from '../steer/controls.ts';
import type { GuardView, RolloutStatus } from '../views.ts';
import type { StageEnd } from '../plan/step.ts';

/** All that decides whether a stage may end. */
export interface StageView {
  readonly seq: number;
  readonly stage: number;
  readonly stages: number;
  readonly until: StageEnd;
  /** How long it has been watched. */
  readonly elapsedMs: number;
  /** Answered by the candidate in this stage. */
  readonly requests: number;
  readonly perSecond: number;
  /** Undefined: nothing is compared in this stage, because it was switched off or has only one side. */
  readonly verdict: Verdict | undefined;
  readonly guards: readonly GuardView[];
  /** A guard has not answered for the first time. */
  readonly isAsking: boolean;
  readonly steering: Steering;
  readonly onInsufficient: 'wait' | 'promote' | 'abort';
  readonly maxWaitMs: number;
  /** How long it has waited for evidence since it might have ended. */
  readonly waitedMs: number;
}

export type StageDecision =
  | { readonly kind: 'end'; readonly warning?: string }
  | {
      readonly kind: 'fail';
      readonly code: 'rollout-worse' | 'rollout-guard' | 'rollout-insufficient';
      readonly reason: string;
    }
  | Stay;

interface Stay {
  readonly kind: 'stay';
  readonly state: Extract<RolloutStatus['state'], 'running' | 'paused' | 'waiting'>;
  readonly note?: string;
  /** It could end, but for evidence. */
  readonly lacksEvidence: boolean;
  /** It could end, but for a person's word. */
  readonly awaits?: boolean;
}

/** What a stage does at this look. Being worse and a guard that fails end it at any moment, paused or promoted. */
export function decideStage(view: StageView): StageDecision {
  const { verdict, steering } = view;
  if (verdict?.verdict === 'fail') return fail('rollout-worse', worse(verdict));
  const failed = view.guards.find(({ state }) => state === 'failed');
  if (failed !== undefined) return fail('rollout-guard', `${failed.name}: ${failed.detail}`);
  if (steering.promoted !== undefined) return { kind: 'end' };
  if (steering.paused !== undefined) return stay('paused', sayPaused(steering.paused));
  if (steering.weight !== undefined) return stay('paused', sayHeld(steering.weight));
  return decideByEnd(view);
}

function decideByEnd(view: StageView): StageDecision {
  const { until, elapsedMs } = view;
  if (elapsedMs < (until.forMs ?? 0) || view.isAsking) return stay('running');
  const few = fewRequests(view);
  if (few !== undefined) return decideByPolicy(view, few);
  const lacking = lackOf(view);
  if (until.confirmed === true) return decideByWord(view, lacking);
  return lacking === undefined ? { kind: 'end' } : decideByPolicy(view, lacking);
}

/** Where a person decides, the person does: what is not known is only said. */
function decideByWord(view: StageView, lacking: string | undefined): StageDecision {
  if (view.steering.confirmed.includes(view.seq)) return { kind: 'end' };
  const what = `waits for a person: \`bascule rollout promote\` goes on${sayNext(view)}`;
  return { ...stay('waiting', lacking === undefined ? what : `${what} (so far ${lacking})`), awaits: true };
}

function fewRequests({ until, requests, perSecond }: StageView): string | undefined {
  const missing = (until.requests ?? 0) - requests;
  if (missing <= 0) return undefined;
  return `${sayRequests(missing)} more must be answered by the new release${sayTime(missing, perSecond)}`;
}

/** Why it may not end yet by its own evidence. */
function lackOf({ verdict, guards, perSecond }: StageView): string | undefined {
  const unknown = guards.find(({ state }) => state === 'unknown');
  if (unknown !== undefined) return `${unknown.name} is unknown: ${unknown.detail}`;
  if (verdict?.verdict !== 'insufficient') return undefined;
  return neededOf(verdict, perSecond);
}

function neededOf({ metrics }: Verdict, perSecond: number): string {
  const open = metrics.filter(({ verdict }) => verdict === 'insufficient');
  if (open.every(({ candidate }) => candidate.requests === 0))
    return 'the new release has answered no request yet, so nothing is known about it';
  const needed = open.map(({ stillNeeded }) => stillNeeded);
  const reasons = open.map(({ reason }) => reason).join('; ');
  if (needed.some((each) => each === undefined)) return reasons;
  return `${reasons}${sayTime(Math.max(...needed.map((each) => each ?? 0)), perSecond)}`;
}

function decideByPolicy(view: StageView, lacking: string): StageDecision {
  const isOver = view.waitedMs >= view.maxWaitMs;
  const mayStillCome = view.requests < (view.until.requests ?? 0) && !isOver;
  if (view.onInsufficient === 'wait' || mayStillCome) {
    if (!isOver) return { ...stay('waiting', `too little is known to go on: ${lacking}`), lacksEvidence: true };
    return fail(
      'rollout-insufficient',
      `too little was known after waiting ${formatDuration(view.maxWaitMs)}: ${lacking}`,
    );
  }
  if (view.onInsufficient === 'abort') return fail('rollout-insufficient', `too little is known to go on: ${lacking}`);
  return { kind: 'end', warning: `stage ${view.stage} goes on although too little is known, as declared: ${lacking}` };
}

function fail(code: Extract<StageDecision, { kind: 'fail' }>['code'], reason: string): StageDecision {
  return { kind: 'fail', code, reason };
}

function stay(state: Stay['state'], note?: string): Stay {
  return { kind: 'stay', state, lacksEvidence: false, ...(note === undefined ? {} : { note }) };
}

function worse({ metrics }: Verdict): string {
  return metrics
    .filter(({ verdict }) => verdict === 'fail')
    .map(({ reason }) => reason)
    .join('; ');
}

export function sayPaused({ author, reason }: NonNullable<Steering['paused']>): string {
  return `paused by ${author}${reason === undefined ? '' : ` (${reason})`}: \`bascule rollout resume\` goes on`;
}

function sayHeld({ author, points }: NonNullable<Steering['weight']>): string {
  return `${author} holds the weight at ${points / 100} %: \`bascule rollout resume\` or \`promote\` goes on`;
}

function sayNext({ stage, stages }: StageView): string {
  return stage < stages ? ` with stage ${stage + 1} of ${stages}` : '';
}

function sayRequests(count: number): string {
  return `${count.toLocaleString('en-US')} ${count === 1 ? 'request' : 'requests'}`;
}

function sayTime(requests: number, perSecond: number): string {
  if (perSecond <= 0) return ', but none come now';
  return ` (${formatDuration((requests * 1_000) / perSecond)} at ${Number(perSecond.toPrecision(2))} per second)`;
}
