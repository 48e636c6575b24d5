import type { PlannedStep, RolloutKind, RolloutOutcome } from './outcome.ts';

/** What a rollout says while it works. Plain data: it can be sent as JSON. */
export type ProgressEvent =
  | { readonly type: 'build-started'; readonly service: string }
  | { readonly type: 'build-output'; readonly service: string; readonly line: string }
  | { readonly type: 'build-done'; readonly service: string; readonly imageId: string; readonly durationMs: number }
  | {
      readonly type: 'planned';
      readonly rollout: number;
      readonly kind: RolloutKind;
      readonly project: string;
      readonly from?: number;
      readonly to?: number;
      readonly steps: readonly PlannedStep[];
    }
  | { readonly type: 'step-started'; readonly step: PlannedStep; readonly undoing: boolean }
  | { readonly type: 'step-done'; readonly step: PlannedStep; readonly durationMs: number; readonly undoing: boolean }
  | {
      readonly type: 'step-failed';
      readonly step: PlannedStep;
      readonly durationMs: number;
      readonly undoing: boolean;
      readonly reason: string;
    }
  /** One line that a job printed. */
  | { readonly type: 'job-output'; readonly job: string; readonly line: string }
  /** Something that the user should know before it happens, e.g. that a stateful service is replaced. */
  | { readonly type: 'warning'; readonly message: string }
  | { readonly type: 'finished'; readonly outcome: RolloutOutcome };
