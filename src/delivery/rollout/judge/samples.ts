import type { LaneId, RequestSample } from '../../traffic/index.ts';
import type { Tally } from './samples-tally.ts';

/** What a lane is in a rollout; `carried`: its set serves in the release before and in the one after. */
export type LaneSide = 'stable' | 'candidate' | 'carried';

export interface LaneRole {
  readonly lane: LaneId;
  readonly service: string;
  /** The release that created the set. */
  readonly release: number;
  readonly side: LaneSide;
}

/** The requests of one lane, as long as the rollout was watched. Plain JSON. */
export interface LaneSamples extends LaneRole, Tally {}

/** Of one project. */
export interface RolloutKey {
  readonly project: string;
  readonly rollout: number;
}

/**
 * Gathers the finished requests of every rollout that is watched: from its first step until a while after its last.
 * What it has is written down each second, so that it survives the daemon; samples that fall while the daemon is away
 * are missing, and those of the built-in probes are not counted: they are not of clients.
 */
export interface Collector {
  /** Begins to watch. One rollout of a project at a time: the one before is closed. Known already: goes on with it. */
  begin(rollout: RolloutKey, roles: readonly LaneRole[]): void;
  /** As it is now; of a rollout that is over, as it was in the end. Empty when it was never watched. */
  sides(rollout: RolloutKey): readonly LaneSamples[];
  /** Requests per second of a lane over the last seconds. */
  perSecond(rollout: RolloutKey, lane: LaneId): number;
  /** Each batch of the project's samples, after it was added. Returns what ends it. */
  onSamples(project: string, listener: (batch: readonly RequestSample[]) => void): () => void;
  /** Writes down what has come since the last time. */
  flush(): void;
  /** Stops watching a rollout; what was seen stays. */
  end(rollout: RolloutKey): void;
  /** The daemon ends. */
  close(): void;
}
