import { parseDurationMs } from '../../../../lib/duration.ts';
import type { RollingSettings, UpdateConfig } from '../../../compose/index.ts';
import type { RolloutKind } from '../../outcome.ts';
import type { StepOf } from '../step.ts';

/** How one service is replaced, with Compose's and our own settings put together. */
export interface RollSettings {
  readonly parallelism: number;
  readonly maxUnavailable: number;
  readonly maxSurge: number;
  readonly delayMs: number;
  readonly monitor?: Monitor;
}

type Monitor = Pick<StepOf<'monitor'>, 'durationMs' | 'maxFailureRatio' | 'failureAction'>;

interface Given {
  readonly kind: RolloutKind;
  readonly replicas: number;
  /** `update_config`, or `rollback_config` on the way back. */
  readonly config: UpdateConfig;
  readonly rolling: RollingSettings;
}

/**
 * Unlike Compose we begin with the new instances unless `order: stop-first` is said: a request is answered all the
 * time. Percentages are of the replicas, what may be missing rounded down and what may be too many rounded up.
 */
export function rollSettings({ kind, replicas, config, rolling }: Given): RollSettings {
  const parallelism = config.parallelism === 0 ? replicas : Math.min(config.parallelism ?? 1, replicas);
  const isStopFirst = config.order === 'stop-first';
  const monitorMs = durationOf(config.monitor);
  return {
    parallelism: Math.max(1, parallelism),
    maxUnavailable: amountOf(rolling.maxUnavailable, replicas, Math.floor) ?? (isStopFirst ? parallelism : 0),
    maxSurge: amountOf(rolling.maxSurge, replicas, Math.ceil) ?? (isStopFirst ? 0 : parallelism),
    delayMs: durationOf(config.delay),
    ...(monitorMs === 0 ? {} : { monitor: monitorOf(kind, config, monitorMs) }),
  };
}

/** A rollback is never itself rolled back. */
function monitorOf(kind: RolloutKind, config: UpdateConfig, durationMs: number): Monitor {
  const asked = config.failure_action;
  const otherwise = kind === 'rollback' ? 'continue' : 'rollback';
  const failureAction = asked === 'pause' || asked === 'continue' ? asked : otherwise;
  return { durationMs, maxFailureRatio: config.max_failure_ratio ?? 0, failureAction };
}

function amountOf(
  amount: number | string | undefined,
  replicas: number,
  round: (value: number) => number,
): number | undefined {
  if (typeof amount !== 'string') return amount;
  return round((Number.parseFloat(amount) * replicas) / 100);
}

function durationOf(text: string | undefined): number {
  return text === undefined ? 0 : (parseDurationMs(text) ?? 0);
}
