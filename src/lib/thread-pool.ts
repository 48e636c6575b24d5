import { Worker } from 'node:worker_threads';

/** What such work throws away is small, as in `runInThread`. */
const LIMITS = { maxYoungGenerationSizeMb: 4 };

/** Threads that do the same to one piece of bytes after another. Disposing drops what is under way. */
export interface ThreadPool extends AsyncDisposable {
  /** The bytes are moved: they are gone for the caller. @throws what the work throws */
  do(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array>;
}

interface Waiting {
  readonly resolve: (bytes: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * @param work is passed on as its text, as in `runInThread`; what it gives owns its memory, and is moved, too
 * @param size how many threads there are; each begins when there is something for it to do
 */
export function openThreadPool(work: (bytes: Uint8Array) => Uint8Array, size: number): ThreadPool {
  const text = textOf(work);
  const threads: { readonly worker: Worker; readonly waiting: Waiting[] }[] = [];
  const start = () => {
    const worker = new Worker(text, { eval: true, execArgv: [], resourceLimits: LIMITS });
    const waiting: Waiting[] = [];
    const fail = (error: unknown): void => {
      for (const { reject } of waiting.splice(0)) reject(error);
    };
    worker.on('message', (bytes: Uint8Array) => waiting.shift()?.resolve(bytes));
    worker.once('error', fail);
    worker.once('exit', () => fail(new Error('a thread ended without a result')));
    const thread = { worker, waiting };
    threads.push(thread);
    return thread;
  };
  /** One without work, else a new one, else the one with the least. */
  const choose = () => {
    const least = threads.toSorted((a, b) => a.waiting.length - b.waiting.length)[0];
    return least === undefined || (least.waiting.length > 0 && threads.length < size) ? start() : least;
  };
  return {
    do(bytes) {
      const { worker, waiting } = choose();
      const { promise, ...settle } = Promise.withResolvers<Uint8Array>();
      waiting.push(settle);
      worker.postMessage(bytes, [bytes.buffer]);
      return promise;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(threads.map(({ worker }) => worker.terminate()));
    },
  };
}

/** `__name`: what the bundler puts into functions so that they keep their names. */
function textOf(work: (bytes: never) => unknown): string {
  return `'use strict';
const __name = (value) => value;
const { parentPort } = process.getBuiltinModule('node:worker_threads');
const work = ${work.toString()};
parentPort.on('message', (bytes) => {
  const made = work(bytes);
  parentPort.postMessage(made, [made.buffer]);
});`;
}
