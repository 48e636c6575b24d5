import type { GuardView } from '../views.ts';

/** What a guard has said until now. Plain JSON. */
export interface GuardState extends GuardView {
  /** Bad answers in a row. */
  readonly bad: number;
  readonly askedMs?: number;
  /** Since when nothing is known. */
  readonly unknownSinceMs?: number;
  /** The instance that is to blame. */
  readonly instance?: string;
}

/** What was found out by asking once. */
export type Answer =
  | { readonly kind: 'value'; readonly value: number; readonly detail?: string }
  | { readonly kind: 'well'; readonly detail: string }
  | { readonly kind: 'bad'; readonly detail: string }
  | { readonly kind: 'unknown'; readonly detail: string };

export interface Threshold {
  readonly name: string;
  readonly max?: number;
  readonly min?: number;
  /** So many bad answers in a row are a failure. */
  readonly failures: number;
}

export function unasked(name: string): GuardState {
  return { name, state: 'unknown', detail: 'not asked yet', bad: 0 };
}

/** What a guard says after one more answer. An answer that says nothing neither counts as bad nor ends a row. */
export function judgeAnswer(
  guard: Threshold,
  before: GuardState,
  o: { readonly answer: Answer; readonly nowMs: number },
): GuardState {
  const { answer, nowMs } = o;
  const known = { name: guard.name, askedMs: nowMs };
  if (answer.kind === 'unknown')
    return {
      ...known,
      state: 'unknown',
      detail: answer.detail,
      bad: before.bad,
      unknownSinceMs: before.unknownSinceMs ?? nowMs,
    };
  const value = answer.kind === 'value' ? { value: answer.value } : {};
  const complaint = complaintOf(guard, answer);
  if (complaint === undefined) return { ...known, ...value, state: 'ok', detail: sayWell(guard, answer), bad: 0 };
  const bad = before.bad + 1;
  const count = guard.failures === 1 ? '' : ` (${bad} of ${guard.failures} in a row)`;
  return { ...known, ...value, state: bad >= guard.failures ? 'failed' : 'ok', detail: `${complaint}${count}`, bad };
}

function complaintOf({ max, min }: Threshold, answer: Exclude<Answer, { kind: 'unknown' }>): string | undefined {
  if (answer.kind === 'bad') return answer.detail;
  if (answer.kind === 'well') return undefined;
  const what = answer.detail === undefined ? '' : ` ${answer.detail}`;
  if (max !== undefined && answer.value > max) return `${say(answer.value)}${what} is above ${say(max)}`;
  return min !== undefined && answer.value < min ? `${say(answer.value)}${what} is below ${say(min)}` : undefined;
}

function sayWell({ max, min }: Threshold, answer: Exclude<Answer, { kind: 'unknown' }>): string {
  if (answer.kind !== 'value') return answer.detail;
  const limits = [
    ...(min === undefined ? [] : [`at least ${say(min)}`]),
    ...(max === undefined ? [] : [`at most ${say(max)}`]),
  ];
  return `${say(answer.value)} (allowed: ${limits.join(', ')})`;
}

function say(value: number): string {
  return String(Number(value.toPrecision(6)));
}
