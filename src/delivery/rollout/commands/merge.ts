interface Timed {
  readonly at: Date;
}

/** Merges sources that have all ended, or will end, exactly; each of them is in the order of time. */
export async function* mergeByTime<T extends Timed>(sources: readonly AsyncGenerator<T>[]): AsyncGenerator<T> {
  const heads = new Map(sources.map((source) => [source, nextOf(source)]));
  try {
    while (heads.size > 0) {
      const { source, result } = earliest(await Promise.all(heads.values()));
      if (result.done) {
        heads.delete(source);
        continue;
      }
      heads.set(source, nextOf(source));
      yield result.value;
    }
  } finally {
    for (const source of heads.keys()) void source.return(undefined).catch(() => {});
  }
}

/**
 * Gives each value as soon as it comes: the other sources may stay silent for ever. `more` brings further sources;
 * it ends when all of them and `more` have, or with the first error of any.
 */
export async function* mergeAsItComes<T>(
  sources: readonly AsyncGenerator<T>[],
  more: AsyncGenerator<AsyncGenerator<T>>,
): AsyncGenerator<T> {
  const mailbox = new Mailbox<T>();
  const opened: AsyncGenerator<unknown>[] = [];
  let open = 0;
  const drain = async <V>(source: AsyncGenerator<V>, take: (value: V) => unknown): Promise<void> => {
    opened.push(source);
    open += 1;
    try {
      for await (const value of source) await take(value);
    } catch (error) {
      mailbox.fail(error);
    }
    open -= 1;
    if (open === 0) mailbox.close();
  };
  const follow = (source: AsyncGenerator<T>): void => void drain(source, (value) => mailbox.put(value));
  void drain(more, follow);
  sources.forEach(follow);
  try {
    yield* mailbox.values();
  } finally {
    for (const source of opened) void source.return(undefined).catch(() => {});
  }
}

/** Values from many to one; who puts one in waits until it is taken. */
class Mailbox<T> {
  readonly #letters: { readonly value: T; taken(): void }[] = [];
  #end: { readonly error?: unknown } | undefined;
  #wake: () => void = () => {};

  put(value: T): Promise<void> {
    return new Promise((resolve) => {
      this.#letters.push({ value, taken: resolve });
      this.#wake();
    });
  }

  close(): void {
    this.#end ??= {};
    this.#wake();
  }

  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake();
  }

  async *values(): AsyncGenerator<T> {
    for (;;) {
      const letter = this.#letters.shift();
      if (letter !== undefined) {
        yield letter.value;
        letter.taken();
        continue;
      }
      if (this.#end !== undefined) return this.#throwIfFailed(this.#end);
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #throwIfFailed(end: { readonly error?: unknown }): void {
    if ('error' in end) throw end.error;
  }
}

interface Head<T> {
  readonly source: AsyncGenerator<T>;
  readonly result: IteratorResult<T>;
}

async function nextOf<T>(source: AsyncGenerator<T>): Promise<Head<T>> {
  return { source, result: await source.next() };
}

/** A source that has ended comes first, so that it leaves. */
function earliest<T extends Timed>(heads: readonly Head<T>[]): Head<T> {
  const timeOf = ({ result }: Head<T>): number => (result.done ? -Infinity : result.value.at.getTime());
  return heads.reduce((first, head) => (timeOf(head) < timeOf(first) ? head : first));
}
