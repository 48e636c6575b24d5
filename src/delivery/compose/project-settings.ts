/** Project-level `x-bascule`, all defaults filled in. Weights are basis points, margins fractions. */
export interface ProjectSettings {
  /** How long the previous release stays warm after a switch. */
  readonly keepMs: number;
  /** How long open connections of the previous release may go on. */
  readonly drainMs: number;
  /** How long a new instance may take to become healthy. */
  readonly healthTimeoutMs: number;
  readonly strategy: StrategyName;
  readonly rolling: RollingSettings;
  readonly canary: CanarySettings;
  readonly analysis: AnalysisPolicy;
  readonly preview?: PreviewMatch;
  /** Blue-green: a person says when to switch. */
  readonly confirm: boolean;
  readonly jobs: Readonly<Record<string, JobSettings>>;
  /** How many previous releases can be rolled back to. */
  readonly rollbackWindow: number;
  /** Default of `read_only` for services that do not set it; undefined: not given. */
  readonly readOnly?: boolean;
}

export type StrategyName = 'blue-green' | 'rolling' | 'canary';

/** Numbers of instances, or percentages of the replicas (`25%`). */
export interface RollingSettings {
  readonly maxUnavailable?: number | string;
  readonly maxSurge?: number | string;
}

export interface CanarySettings {
  readonly steps: readonly CanaryStep[];
  readonly cohorts: readonly CohortSettings[];
  readonly onInsufficient: 'wait' | 'promote' | 'abort';
  readonly maxWaitMs: number;
}

export interface CanaryStep {
  /** Basis points. */
  readonly weight: number;
  readonly forMs?: number;
  readonly requests?: number;
  /** A person says when to go on. */
  readonly pause?: boolean;
}

export type CohortSettings =
  | { readonly kind: 'header'; readonly name: string; readonly value?: string }
  | { readonly kind: 'cookie'; readonly name: string; readonly value?: string }
  | { readonly kind: 'address'; readonly networks: readonly string[] };

export type PreviewMatch =
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  | { readonly kind: 'host'; readonly host: string };

export interface AnalysisPolicy {
  readonly enabled: boolean;
  readonly alpha: number;
  readonly beta: number;
  readonly errorMargin: number;
  readonly slowMargin: number;
  readonly metrics: readonly ('errors' | 'slow')[];
  readonly queries: readonly QueryGuard[];
  readonly commands: readonly CommandGuard[];
}

interface Threshold {
  readonly name: string;
  readonly intervalMs: number;
  readonly max?: number;
  readonly min?: number;
  /** So many bad answers in a row abort. */
  readonly failures: number;
}
export interface QueryGuard extends Threshold {
  /** Base address of the Prometheus server. */
  readonly prometheus: string;
  readonly query: string;
}
export interface CommandGuard extends Threshold {
  readonly run: readonly string[];
  readonly timeoutMs: number;
}

export interface JobSettings {
  readonly service: string;
  readonly command: readonly string[];
  readonly at: 'before-start' | 'before-switch' | 'after-switch';
  readonly migration?: 'expand' | 'contract';
  readonly timeoutMs: number;
  readonly retries: number;
}

/** `x-bascule` of a service; what is absent was not given. */
export interface ServiceSettings {
  readonly stateful?: boolean;
  readonly route?: { readonly host?: string; readonly path?: string };
  readonly protocol?: 'http' | 'tcp';
  readonly tls?: TlsSettings;
  readonly accessLog?: boolean;
  readonly maxBodyBytes?: number;
  readonly probe?: ProbeSettings;
  readonly smoke?: SmokeTest;
}

export interface TlsSettings {
  /** Absolute path, as is `key`. */
  readonly certificate?: string;
  readonly key?: string;
  readonly acme?: boolean;
  /** Published ports that speak TLS; absent: those of 443 and 8443 that are published. */
  readonly ports?: readonly number[];
  readonly redirect: boolean;
}

export interface ProbeSettings {
  readonly enabled: boolean;
  readonly get: string;
  readonly post?: string;
  readonly sse?: string;
  readonly websocket?: string;
}

export interface SmokeTest {
  readonly path: string;
  readonly port?: number;
  readonly status: number;
  readonly timeoutMs: number;
}
