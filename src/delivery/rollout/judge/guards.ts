import { setTimeout as delay } from 'node:timers/promises';
import { formatDuration } from '../../../lib/duration.ts';
import { messageOf } from '../../../lib/errors.ts';
import type { AnalysisPolicy } from '../../compose/index.ts';
import { askCommand, type GuardedRollout } from './guard-command.ts';
import { INSTANCES, watchInstances, type WatchedFleet } from './guard-instances.ts';
import { askPrometheus } from './guard-query.ts';
import { type Answer, type GuardState, judgeAnswer, type Threshold, unasked } from './guard-state.ts';
import type { ProgressBoard } from './progress-board.ts';
import type { RolloutKey } from './samples.ts';

export interface GuardOptions {
  readonly rollout: RolloutKey;
  readonly policy: Pick<AnalysisPolicy, 'queries' | 'commands'>;
  /** Instances of the candidate. */
  readonly guarded: readonly string[];
  readonly fleet: WatchedFleet;
  readonly board: ProgressBoard;
  readonly now: () => Date;
  /** What commands are told. */
  readonly describe: () => GuardedRollout;
  /** Something that a person should know. */
  readonly say: (message: string) => void;
}

/**
 * Absolute conditions, as long as a stage runs: instances of the candidate that stay alive, queries and commands
 * with thresholds. What they say stands on the board, and goes on from there after a restart.
 */
export function startGuards(o: GuardOptions): AsyncDisposable {
  const ended = new AbortController();
  const { signal } = ended;
  const { queries, commands } = o.policy;
  const running = [
    watchInstances({ ...o, signal, report: (state) => report(o, { ...state, askedMs: o.now().getTime() }) }),
    ...queries.map((guard) => askAgain(o, { guard, signal, ask: () => askPrometheus(guard, signal) })),
    ...commands.map((guard) =>
      askAgain(o, { guard, signal, ask: () => askCommand(guard, { rollout: o.describe(), signal }) }),
    ),
  ];
  return {
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      await Promise.allSettled(running);
    },
  };
}

/** What stands on the board of a guard, or that it has not been asked. */
export function statesOf(o: Pick<GuardOptions, 'board' | 'rollout' | 'policy' | 'guarded'>): readonly GuardState[] {
  const { guards } = o.board.of(o.rollout);
  const declared = [...o.policy.queries, ...o.policy.commands].map(({ name }) => name);
  const names = o.guarded.length === 0 ? declared : [INSTANCES, ...declared];
  const asked = guards.map(({ name }) => name);
  return [...guards, ...names.filter((name) => !asked.includes(name)).map(unasked)];
}

interface Asking {
  readonly guard: Threshold & { readonly intervalMs: number };
  readonly signal: AbortSignal;
  ask(): Promise<Answer>;
}

async function askAgain(o: GuardOptions, { guard, signal, ask }: Asking): Promise<void> {
  let isSaid = false;
  while (!signal.aborted) {
    const before = o.board.of(o.rollout).guards.find(({ name }) => name === guard.name) ?? unasked(guard.name);
    const dueMs = before.askedMs === undefined ? 0 : before.askedMs + guard.intervalMs - o.now().getTime();
    if (dueMs > 0) await delay(dueMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const answer = await ask().catch((error: unknown): Answer => ({ kind: 'unknown', detail: messageOf(error) }));
    if (signal.aborted) return;
    const state = judgeAnswer(guard, before, { answer, nowMs: o.now().getTime() });
    report(o, state);
    const unknownMs = (state.askedMs ?? 0) - (state.unknownSinceMs ?? state.askedMs ?? 0);
    if (unknownMs >= TOO_LONG * guard.intervalMs && !isSaid) {
      isSaid = true;
      o.say(`${guard.name} has been unknown for ${formatDuration(unknownMs)}: ${state.detail}`);
    }
  }
}

/** So many intervals without an answer are said. */
const TOO_LONG = 3;

function report({ board, rollout }: GuardOptions, state: GuardState): void {
  const others = board.of(rollout).guards.filter(({ name }) => name !== state.name);
  board.update(rollout, { guards: [...others, state].sort((a, b) => a.name.localeCompare(b.name)) });
}
