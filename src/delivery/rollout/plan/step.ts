import type { PlacedCertificate } from '../../certificates/index.ts';
import type { NetworkSpec, VolumeSpec } from '../../fleet/index.ts';
import type { FilePlacement } from '../../release/index.ts';
import type { PreviewMatch } from '../../compose/index.ts';
import type { LaneId, PublishedPort, RouteId, RouteOptions, RouteShare } from '../../traffic/index.ts';
import type { Standing } from './standing.ts';

/** One act of a rollout: one call to the outside, or one wait. Plain JSON, it stands in the journal. */
export type Step = StepBody & { readonly cause: string };

export type StepBody =
  | { readonly kind: 'keep-image'; readonly imageId: string; readonly imageName: string }
  | { readonly kind: 'forget-image'; readonly imageName: string }
  | { readonly kind: 'create-network'; readonly network: NetworkSpec }
  | {
      readonly kind: 'remove-network';
      readonly network: string;
      /** That made it, where it is retired. */
      readonly release?: number;
    }
  | { readonly kind: 'create-volume'; readonly volume: VolumeSpec }
  | { readonly kind: 'remove-volume'; readonly volume: string }
  | { readonly kind: 'place-file'; readonly placement: FilePlacement }
  | {
      readonly kind: 'create-instance';
      readonly instance: string;
      readonly release: number;
      readonly service: string;
      readonly index: number;
    }
  | {
      readonly kind: 'connect-network';
      readonly instance: string;
      readonly network: string;
      readonly aliases: readonly string[];
    }
  | { readonly kind: 'disconnect-network'; readonly instance: string; readonly network: string }
  | {
      readonly kind: 'start-instance';
      readonly instance: string;
      /** It writes to what outlives it: it must be stopped gently, before another one may start. */
      readonly stateful: boolean;
      /** Something has to be done in it before it is stopped again. */
      readonly hooks?: HookedService;
    }
  | {
      readonly kind: 'wait-healthy';
      readonly instance: string;
      readonly timeoutMs: number;
      /** It may end with success instead of running on. */
      readonly mayExit: boolean;
      /** Ports on which it must take connections. */
      readonly ports: readonly number[];
      readonly network?: string;
    }
  | { readonly kind: 'wait-completed'; readonly instance: string; readonly timeoutMs: number }
  | {
      readonly kind: 'smoke-test';
      readonly instance: string;
      readonly network?: string;
      readonly port: number;
      readonly path: string;
      readonly status: number;
      readonly timeoutMs: number;
      /** The job behind which a release that serves already must still pass. */
      readonly after?: string;
    }
  | {
      readonly kind: 'add-to-lane';
      readonly lane: LaneId;
      readonly instance: string;
      readonly network?: string;
      readonly port: number;
      /** So long its requests may go on when this is taken back. */
      readonly drainMs?: number;
    }
  | {
      readonly kind: 'remove-from-lane';
      readonly lane: LaneId;
      readonly instance: string;
      /** To put it back: absent where nobody will. */
      readonly place?: Place;
    }
  | {
      /** No new requests; waits until those that run have ended, at most until the declared deadline; then cuts. */
      readonly kind: 'drain-instance';
      /** Absent: its flows go past the proxy, and nobody counts them. They get all of the time. */
      readonly lane?: LaneId;
      readonly instance: string;
      readonly deadlineMs: number;
      /** To put it back. */
      readonly network?: string;
      readonly port: number;
    }
  | { readonly kind: 'set-weights'; readonly changes: readonly WeightChange[] }
  | {
      /** New TCP (or UDP) flows are spread by these weights; established ones stay where they are. */
      readonly kind: 'set-tcp-weights';
      readonly route: RouteId;
      readonly port: number;
      readonly to: readonly TcpShare[];
      readonly from: readonly TcpShare[];
      /** So long the flows to whom it brings in may go on when this is taken back. */
      readonly drainMs: number;
    }
  | {
      readonly kind: 'set-route-options';
      readonly route: RouteId;
      readonly to: RouteOptions;
      readonly from: RouteOptions;
    }
  | {
      /**
       * Waits while both sides serve, until the stage may end; fails when the candidate is worse. Without `sides`
       * there is nothing to compare: it waits for what `until` says, and looks at those it guards.
       */
      readonly kind: 'analyse';
      /** Counts from 1; 0 of 0: before any traffic moves. */
      readonly stage: number;
      readonly stages: number;
      /** Basis points that the candidate has in this stage. */
      readonly weight: number;
      readonly until: StageEnd;
      readonly sides: readonly AnalysedRoute[];
      /** Instances of the candidate: a crash or an ill one among them ends the rollout. */
      readonly guarded: readonly string[];
    }
  | {
      /** So long the new instances are watched; fails when too many of them do. */
      readonly kind: 'monitor';
      readonly instances: readonly string[];
      readonly durationMs: number;
      /** 0 to 1 of `instances`. */
      readonly maxFailureRatio: number;
      readonly failureAction: 'pause' | 'continue' | 'rollback';
    }
  | { readonly kind: 'delay'; readonly durationMs: number }
  | {
      readonly kind: 'set-preview';
      readonly route: RouteId;
      readonly lane: LaneId | null;
      readonly match: PreviewMatch;
    }
  | {
      /** One one-off container, run to its end, tried again as declared, removed. */
      readonly kind: 'run-job';
      /** Its container. */
      readonly instance: string;
      readonly job: string;
      readonly release: number;
      readonly timeoutMs: number;
      readonly retries: number;
      readonly migration?: 'expand' | 'contract';
    }
  | {
      /** Commands that the Compose file declares at a service's `post_start` or `pre_stop`. */
      readonly kind: 'run-hooks';
      readonly instance: string;
      readonly release: number;
      readonly service: string;
      readonly hook: 'post_start' | 'pre_stop';
    }
  | { readonly kind: 'switch-routes'; readonly changes: readonly RouteChange[] }
  | {
      readonly kind: 'switch-tcp';
      readonly route: RouteId;
      readonly port: number;
      readonly to: TcpSide | undefined;
      readonly from: TcpSide | undefined;
    }
  | { readonly kind: 'remove-route'; readonly route: RouteId }
  | {
      readonly kind: 'publish-port';
      readonly port: PublishedPort;
      /** It is there, and does not speak as it should. */
      readonly from?: PublishedPort;
    }
  | { readonly kind: 'unpublish-port'; readonly port: PublishedPort }
  /** By its fingerprint: keys do not come into the journal. */
  | { readonly kind: 'install-certificate'; readonly certificate: PlacedCertificate }
  | { readonly kind: 'obtain-certificate'; readonly name: string; readonly host: string }
  | { readonly kind: 'remove-certificate'; readonly name: string }
  | { readonly kind: 'set-standing'; readonly standing: Standing }
  | {
      readonly kind: 'stop-instance';
      readonly instance: string;
      /** What has to be waited for when it is started again, before anything else is taken back. */
      readonly fit?: Fitness;
      readonly leaving?: Leaving;
    }
  | { readonly kind: 'remove-instance'; readonly instance: string; readonly leaving?: Leaving }
  | { readonly kind: 'refresh-traffic' };

/** An instance that is retired, beside whatever else happens to its project. */
export interface Leaving {
  /** The container: a successor may have its name by then. */
  readonly id: string;
  /** That made it. */
  readonly release: number;
  /** It runs, and writes to what outlives it. */
  readonly writes: boolean;
}

/** Whose hooks an instance has. */
export interface HookedService {
  readonly release: number;
  readonly service: string;
}

export interface RouteChange {
  readonly route: RouteId;
  /** undefined: the route goes away. */
  readonly to: LaneId | undefined;
  readonly from: LaneId | undefined;
}

/** A route's share as it is to be, and as it was. */
export interface WeightChange {
  readonly route: RouteId;
  readonly to: RouteShare;
  readonly from: RouteShare;
}

/** Which lanes of a route are compared. */
export interface AnalysedRoute {
  readonly service: string;
  readonly route: RouteId;
  readonly stable: LaneId;
  readonly candidate: LaneId;
}

/** When a stage may end: all of what is given must have come. */
export interface StageEnd {
  readonly forMs?: number;
  /** Answered by the candidate in this stage. */
  readonly requests?: number;
  /** A person says so. */
  readonly confirmed?: boolean;
}

export interface TcpSide {
  readonly instances: readonly string[];
  readonly network?: string;
}

/** A side with its share of the new flows, in basis points; those of all sides together are 10,000. */
export interface TcpShare extends TcpSide {
  readonly weight: number;
}

/** Where traffic reaches an instance of a lane. */
export interface Place {
  readonly port: number;
  readonly network?: string;
}

/** When an instance is fit for traffic. */
export type Fitness = Omit<Extract<StepBody, { kind: 'wait-healthy' }>, 'kind' | 'instance'>;

export type StepKind = StepBody['kind'];
export type StepOf<K extends StepKind> = Extract<StepBody, { kind: K }> & { readonly cause: string };
