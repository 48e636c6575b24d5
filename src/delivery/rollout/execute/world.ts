import type { Certificates } from '../../certificates/index.ts';
import type { Fleet } from '../../fleet/index.ts';
import type { FileStore, Releases } from '../../release/index.ts';
import type { Moved, Traffic } from '../../traffic/index.ts';
import type { Changes } from '../steer/changes.ts';
import type { Controls } from '../steer/controls.ts';
import type { JobRuns } from '../jobs/job-runs.ts';
import type { Journal, RolloutRecord } from './journal.ts';
import type { Probe } from './probe.ts';
import type { ProgressBoard } from '../judge/progress-board.ts';
import type { ProgressEvent } from '../progress.ts';
import type { Collector } from '../judge/samples.ts';
import type { Withdrawn } from '../upkeep/withdrawn.ts';

/** What the handlers act on. */
export interface World {
  readonly fleet: Fleet;
  readonly traffic: Traffic;
  readonly releases: Releases;
  readonly files: FileStore;
  readonly certificates: Certificates | undefined;
  readonly probe: Probe;
  readonly journal: Pick<Journal, 'standing' | 'setStanding'>;
  /** What rollouts see of the requests, what they are told, and where their waits stand. */
  readonly collector: Collector;
  readonly controls: Controls;
  readonly board: ProgressBoard;
  readonly changes: Changes;
  /** What is known of jobs that were begun. */
  readonly jobs: JobRuns;
  /** Instances that a person took out of traffic. */
  readonly withdrawn: Withdrawn;
  now(): Date;
}

export interface StepContext {
  readonly world: World;
  readonly project: string;
  readonly rollout: Pick<RolloutRecord, 'number' | 'from' | 'to'>;
  /** The number of the step in its rollout. */
  readonly seq: number;
  /** Ends waits early. */
  readonly signal: AbortSignal;
  /** Something that the user should know. */
  readonly say: (message: string) => void;
  /** When the step moved traffic. */
  readonly moved: (moved: Moved) => void;
  /** For whoever looks on. */
  readonly emit: (event: ProgressEvent) => void;
}
