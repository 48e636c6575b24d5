import type { RolloutStatus } from '../views.ts';
import type { Comparison } from './comparison.ts';
import type { GuardState } from './guard-state.ts';

/** Where the steps that wait stand, and what they have found out. Plain JSON: it stands in the journal's database. */
export interface Progress {
  readonly comparison?: Comparison;
  /** By the step's number. */
  readonly steps: Readonly<Record<number, StepProgress>>;
  readonly guards: readonly GuardState[];
  /** What the instances were when they began to be watched. */
  readonly baselines: Readonly<Record<string, Baseline>>;
  readonly activity: Activity;
}

export interface StepProgress {
  readonly startedMs: number;
  /** While somebody watched. */
  readonly elapsedMs: number;
  /** Answered by the candidate. */
  readonly requests: number;
  /** For evidence that was missing when it might have ended. */
  readonly waitedMs: number;
  /** What it found was said, and a person let it go on. */
  readonly isExcused?: boolean;
}

/** An instance that restarts is another one than this. */
export interface Baseline {
  readonly restarts: number;
  readonly startedMs?: number;
}

export interface Activity {
  readonly state: Extract<RolloutStatus['state'], 'running' | 'paused' | 'waiting'>;
  readonly note?: string;
  /** The step that waits for nothing but a person's word. */
  readonly awaits?: number;
  /** The analysis stage at hand. */
  readonly stage?: NonNullable<RolloutStatus['stage']> & { readonly seq: number };
}
