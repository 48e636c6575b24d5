import type { Reference } from '../../../lib/oci/index.ts';
import type { ThreadPool } from '../../../lib/thread-pool.ts';
import type { ImageStore } from '../../image/index.ts';
import type { TransferEvent } from './face.ts';
import type { Limiter } from './limiter.ts';
import type { Repository } from './repository.ts';
import type { RetryLimits } from './retry.ts';

export interface PushTarget {
  readonly images: ImageStore;
  readonly reference: Reference;
  readonly repository: Repository;
  readonly retry: RetryLimits;
  readonly limiter: Limiter;
  /** For compressed layers on their way. */
  readonly directory: string;
  readonly onProgress: (event: TransferEvent) => void;
  readonly signal?: AbortSignal;
}

/** One layer of several. */
export interface LayerPush extends PushTarget {
  readonly pool: ThreadPool;
  readonly signal: AbortSignal;
}
