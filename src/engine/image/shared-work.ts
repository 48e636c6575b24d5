import type { BootstrapOptions, ImageRecord } from './face.ts';

type Work = (o: { onOutput(line: string): void; signal: AbortSignal }) => Promise<ImageRecord>;

interface Shared {
  readonly result: Promise<ImageRecord>;
  readonly listeners: Set<(line: string) => void>;
  readonly abort: AbortController;
  /** What was said so far: who comes later hears it too. */
  readonly lines: string[];
}

/** Does the work of one key once for all who ask meanwhile; it is cancelled when all of them have gone. */
export class SharedWork {
  readonly #running = new Map<string, Shared>();

  async do(key: string, o: BootstrapOptions & { work: Work }): Promise<ImageRecord> {
    o.signal?.throwIfAborted();
    const shared = this.#running.get(key) ?? this.#start(key, o.work);
    for (const line of shared.lines) o.onOutput(line);
    const listener = (line: string): void => o.onOutput(line);
    shared.listeners.add(listener);
    const { promise: aborted, reject } = Promise.withResolvers<never>();
    const leave = (): void => {
      shared.listeners.delete(listener);
      if (shared.listeners.size === 0) this.#cancel(key, shared, o.signal?.reason);
      reject(o.signal?.reason as Error);
    };
    o.signal?.addEventListener('abort', leave, { once: true });
    try {
      return await Promise.race([shared.result, aborted]);
    } finally {
      o.signal?.removeEventListener('abort', leave);
    }
  }

  #start(key: string, work: Work): Shared {
    const listeners = new Set<(line: string) => void>();
    const lines: string[] = [];
    const abort = new AbortController();
    const onOutput = (line: string): void => {
      lines.push(line);
      for (const listener of listeners) listener(line);
    };
    const result = work({ onOutput, signal: abort.signal }).finally(() => {
      if (this.#running.get(key) === shared) this.#running.delete(key);
    });
    result.catch(() => {}); // those who wait hear of it
    const shared: Shared = { result, listeners, abort, lines };
    this.#running.set(key, shared);
    return shared;
  }

  /** Who asks from now on starts anew. */
  #cancel(key: string, shared: Shared, reason: unknown): void {
    if (this.#running.get(key) === shared) this.#running.delete(key);
    shared.abort.abort(reason);
  }
}
