import { Worker } from 'node:worker_threads';

/** What such work throws away is small: a young generation of V8's own choice costs memory and gains nothing. */
const LIMITS = { maxYoungGenerationSizeMb: 4 };

/**
 * Does long synchronous work in a thread of its own. The function is passed on as its text: it may use nothing but its
 * input, the language and what `process.getBuiltinModule` gives. So there is no file to load, and one executable can do it.
 * @param input is copied, but for shared memory
 * @throws what the function throws, with its `code`
 */
export async function runInThread<Input, Output>(
  work: (input: Input) => Output,
  input: Input,
  signal?: AbortSignal,
): Promise<Output> {
  signal?.throwIfAborted();
  const worker = new Worker(textOf(work), { eval: true, workerData: input, execArgv: [], resourceLimits: LIMITS });
  const { promise, resolve, reject } = Promise.withResolvers<Output>();
  worker.once('message', resolve);
  worker.once('error', reject);
  const ended = new Error('a thread ended without a result');
  worker.once('exit', () => reject(signal?.aborted === true ? (signal.reason as Error) : ended));
  /** It has ended when the caller hears of it: what it worked on may be removed then. */
  const abort = (): void => void worker.terminate().then(() => reject(signal?.reason as Error));
  signal?.addEventListener('abort', abort, { once: true });
  try {
    return await promise;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** `__name`: what the bundler puts into functions so that they keep their names. */
function textOf(work: (input: never) => unknown): string {
  return `'use strict';
const __name = (value) => value;
const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads');
parentPort.postMessage((${work.toString()})(workerData));`;
}
