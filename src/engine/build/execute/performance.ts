import type { Step } from '../plan/plan.ts';
import type { Session } from './session.ts';
import type { StageResult } from './stage-result.ts';
import type { StepInputs } from './step-inputs.ts';

/** One step that is to be done, not taken from the cache. */
export interface Performance {
  readonly session: Session;
  readonly state: StageResult;
  readonly step: Step;
  readonly inputs: StepInputs;
}

/** What has to be done once the root is unmounted, with the upper folder. */
export type Aftermath = (upper: string) => Promise<void>;
