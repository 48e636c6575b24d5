/** Lets so many at a time do their work; the others wait in the order in which they came. */
export interface Limiter {
  do<T>(work: () => Promise<T>): Promise<T>;
}

export function createLimiter(limit: number): Limiter {
  let running = 0;
  const waiting: (() => void)[] = [];
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next(); // the place is handed over
  };
  return {
    async do(work) {
      if (running < limit) running++;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await work();
      } finally {
        leave();
      }
    },
  };
}

/** All of them; when one fails the others are told to stop, and all have ended when this does. */
export async function allOrNone<T>(
  works: readonly ((signal: AbortSignal) => Promise<T>)[],
  signal: AbortSignal | undefined,
): Promise<readonly T[]> {
  const abort = new AbortController();
  const both = signal === undefined ? abort.signal : AbortSignal.any([signal, abort.signal]);
  let first: unknown;
  const settled = await Promise.allSettled(
    works.map((work) =>
      work(both).catch((error: unknown) => {
        first ??= error;
        abort.abort(error);
        throw error;
      }),
    ),
  );
  if (settled.some(({ status }) => status === 'rejected')) throw first;
  return settled.map((outcome) => (outcome as PromiseFulfilledResult<T>).value);
}
