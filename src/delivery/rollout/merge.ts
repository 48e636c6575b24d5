interface Timed {
  readonly at: Date;
}

/**
 * Merges sources that are each in the order of time. Finished sources are merged exactly; when following, a line is
 * given as soon as it comes, since the others may stay silent for ever.
 */
export async function* mergeByTime<T extends Timed>(
  sources: readonly AsyncGenerator<T>[],
  follow: boolean,
): AsyncGenerator<T> {
  const heads = new Map<AsyncGenerator<T>, Promise<Head<T>>>(sources.map((source) => [source, nextOf(source)]));
  try {
    while (heads.size > 0) {
      const head = follow ? await Promise.race(heads.values()) : earliest(await Promise.all(heads.values()));
      if (head.result.done) {
        heads.delete(head.source);
        continue;
      }
      heads.set(head.source, nextOf(head.source));
      yield head.result.value;
    }
  } finally {
    for (const source of heads.keys()) void source.return(undefined).catch(() => {});
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
