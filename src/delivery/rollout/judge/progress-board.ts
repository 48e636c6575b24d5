import type { EvidenceStore } from './evidence-store.ts';
import type { Progress, StepProgress } from './progress.ts';
import type { RolloutKey } from './samples.ts';

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
