import type { RolloutStatus, Streamed } from '../../server/client/index.ts';
import { formatNumber, inert } from '../output/text.ts';

export type Status = Streamed<RolloutStatus>;

/** `canary 3 → 4`; a rollout without a strategy of its own goes by its kind. */
export function nameOf(status: Status): string {
  return `${status.strategy ?? status.kind} ${passageOf(status)}`;
}

function passageOf({ from, to }: Status): string {
  if (from === undefined) return to === undefined ? '' : `release ${to}`;
  return to === undefined ? `release ${from}` : `${from} → ${to}`;
}

/** The state in one word, or the result of what has ended. */
export function stateOf({ state, result }: Status): string {
  return state === 'ended' ? (result ?? 'ended') : state;
}

/** Requests to the candidate until the slowest of its metrics can be decided. */
function stillNeeded({ verdict }: Status): number | undefined {
  const needed = (verdict?.metrics ?? []).flatMap((metric) => metric.stillNeeded ?? []);
  return needed.length === 0 ? undefined : Math.max(...needed);
}

/** What the analysis says in a few words, with what it still lacks. */
export function verdictWords(status: Status): string | undefined {
  const { verdict } = status;
  if (verdict === undefined || !isCompared(status)) return undefined;
  if (verdict.verdict === 'pass') return 'pass: not worse';
  if (verdict.verdict === 'fail') return 'fail: worse';
  if (status.endedAt !== undefined) return 'insufficient: the traffic was not enough to decide';
  const needed = stillNeeded(status);
  if (needed === undefined) return 'insufficient: no decision in sight with this traffic';
  const rate = status.sides?.candidate.perSecond ?? 0;
  const wait = rate > 0 ? `, ${spanOf(needed / rate)} at this rate` : '';
  return `insufficient: about ${formatNumber(needed)} more requests${wait}`;
}

/** Seconds in the one unit that fits: an estimate needs no more. */
function spanOf(seconds: number): string {
  if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3_600)} h`;
}

/** The steps that are under way, as one text. */
export function stepAtHand({ steps }: Status): string | undefined {
  const running = steps.filter(({ outcome }) => outcome === 'running').map(({ title }) => inert(title));
  if (running.length === 0) return undefined;
  return running.length === 1 ? running[0] : `${running[0]} and ${running.length - 1} more`;
}

/** Both sides get requests, or did: a wait for a person before the switch has nothing to compare. */
export function isCompared({ stage, sides }: Status): boolean {
  return stage === undefined ? (sides?.candidate.requests ?? 0) > 0 : stage.stages > 0;
}
