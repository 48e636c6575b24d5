import type { Comparison } from './comparison.ts';
import type { EvidenceStore } from './evidence-store.ts';
import type { GuardState } from './guard-state.ts';
import type { RolloutStatus } from '../face.ts';
import type { RolloutKey } from './samples.ts';

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

const NO_PROGRESS: Progress = { steps: {}, guards: [], baselines: {}, activity: { state: 'running' } };

/** The progress of the rollouts that run: in memory at every moment, on disk each second. */
export interface ProgressBoard {
  of(rollout: RolloutKey): Progress;
  /** Changes what is given; the rest stays. */
  update(rollout: RolloutKey, changes: Partial<Progress>): void;
  updateStep(rollout: RolloutKey, seq: number, changes: Partial<StepProgress>): void;
  /** Writes down what has changed since the last time. */
  flush(): void;
  /** Its rollout is over: what is kept in memory of it goes. */
  forget(rollout: RolloutKey): void;
}

interface Entry {
  readonly key: RolloutKey;
  progress: Progress;
  isDirty: boolean;
}

export function createProgressBoard(store: EvidenceStore, onChange: (project: string) => void): ProgressBoard {
  const entries = new Map<string, Entry>();
  const entry = (key: RolloutKey): Entry => {
    const name = `${key.project}/${key.rollout}`;
    const known = entries.get(name) ?? { key, progress: store.progress(key) ?? NO_PROGRESS, isDirty: false };
    entries.set(name, known);
    return known;
  };
  const save = (each: Entry): void => {
    if (each.isDirty) store.putProgress(each.key, each.progress);
    each.isDirty = false;
  };
  const update = (key: RolloutKey, changes: Partial<Progress>): void => {
    const known = entry(key);
    known.progress = { ...known.progress, ...changes };
    known.isDirty = true;
    onChange(key.project);
  };
  return {
    of: (key) => entries.get(`${key.project}/${key.rollout}`)?.progress ?? store.progress(key) ?? NO_PROGRESS,
    update,
    updateStep: (key, seq, changes) => {
      const { steps } = entry(key).progress;
      const step = steps[seq] ?? { startedMs: 0, elapsedMs: 0, requests: 0, waitedMs: 0 };
      update(key, { steps: { ...steps, [seq]: { ...step, ...changes } } });
    },
    flush: () => {
      for (const each of entries.values()) save(each);
    },
    forget: (key) => {
      const name = `${key.project}/${key.rollout}`;
      const known = entries.get(name);
      if (known !== undefined) save(known);
      entries.delete(name);
    },
  };
}
