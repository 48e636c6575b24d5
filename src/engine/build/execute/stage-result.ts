import type { Digest, HistoryEntry } from '../../../lib/oci/index.ts';
import type { Layer } from '../../image/index.ts';
import type { StagePlan } from '../plan/plan.ts';

/** What a stage has become. */
export interface StageResult {
  readonly plan: StagePlan;
  /** Bottom first. */
  readonly layers: readonly Layer[];
  /** Stands for the files of the stage in cache keys. */
  readonly key: string;
  readonly history: readonly HistoryEntry[];
  readonly createdAt: Date | undefined;
  readonly baseImage: Digest | undefined;
}

export type StageResults = ReadonlyMap<number, Promise<StageResult>>;

export function resultOf(results: StageResults, index: number): Promise<StageResult> {
  const result = results.get(index);
  if (result === undefined) throw new Error(`stage ${index} is not planned`);
  return result;
}
