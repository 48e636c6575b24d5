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

/** What has to be done with the upper folder once nobody uses the root any more. */
export type Aftermath = (upper: string) => void;
