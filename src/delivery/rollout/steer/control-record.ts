import type { ControlRequest } from '../face.ts';

/** What somebody told a rollout. Plain JSON. */
export interface ControlRecord {
  readonly atMs: number;
  readonly author: string;
  readonly action: ControlRequest['action'];
  /** Why, where it was not a person. */
  readonly reason?: string;
  /** The step that a `promote` confirmed; absent: all that remains is skipped. */
  readonly confirms?: number;
}
