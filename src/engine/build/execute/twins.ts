import type { Digest } from '../../../lib/oci/index.ts';
import type { DigestState, NewFile } from '../../image/index.ts';
import type { Copies } from '../files/copies.ts';
import { nameOf } from '../files/names.ts';
import type { SelectedSource } from '../files/select.ts';
import { isSettled, isStill, stampOf, takeWalk, type TreeEntry, type Walk } from '../files/tree.ts';

/** Files that a COPY shares with the layer that it gave last. */
export interface Twins {
  /** A file of that layer which is the same in content, attributes (it has none), mode, owner and time, on this host. */
  twinOf(file: NewFile, source: string): string | undefined;
  /** Hears of a file without attributes that is copied. */
  copies(file: NewFile, source: string): void;
  /** Looks, once all are copied, which files of the context did not change since they were digested. */
  made(): Promise<void>;
  /** Of that layer's digest. */
  readonly states: readonly DigestState[];
  /** Hears those of the new layer. */
  noteStates(states: readonly DigestState[]): void;
  /** Remembers what the new layer has. */
  keep(diffId: Digest): Promise<void>;
}

interface TwinsOf {
  /** Of the copy: where from, and all that it says. */
  readonly name: string;
  readonly copies: Copies;
  readonly source: SelectedSource;
  /** That found it. */
  readonly walk: Walk;
  /** Digests of the source's files. */
  readonly contents: ReadonlyMap<string, string>;
  /** The folder of a layer that is there, and stays. */
  holdLayer(diffId: Digest): string | undefined;
  readonly signal: AbortSignal;
}

/** As each is one more name of a file; then all are copied once. */
const MOST_GENERATIONS = 1_000;
/** So many are looked at one by one; a walk takes 100 ms for 20,000 files. */
const FEW = 500;

export async function openTwins(o: TwinsOf): Promise<Twins> {
  const last = await o.copies.find(o.name);
  const folder = last === undefined || last.generation >= MOST_GENERATIONS ? undefined : o.holdLayer(last.diffId);
  const known = folder === undefined ? undefined : last?.files;
  const root = folder === undefined ? '' : nameOf(folder);
  const files = new Map<string, string>();
  let states: readonly DigestState[] = [];
  /** By their path in the source: their content in the layer is that of the digest only if they did not change. */
  const copied = new Map<string, string>();
  return {
    twinOf(file, source) {
      const digest = o.contents.get(source);
      const facts = digest === undefined ? undefined : factsOf(file, digest);
      if (facts === undefined || known?.get(file.path) !== facts) return undefined;
      files.set(file.path, facts);
      return `${root}/${file.path}`;
    },
    copies(file, source) {
      const digest = o.contents.get(source);
      if (digest === undefined) return;
      files.set(file.path, factsOf(file, digest));
      copied.set(source, file.path);
    },
    async made() {
      const settled = o.source.entries.filter((entry) => copied.has(entry.path) && isSettled(entry, o.walk.at));
      for (const path of await unchangedOf(settled, o)) copied.delete(path);
      for (const path of copied.values()) files.delete(path);
    },
    states: known === undefined ? [] : (last?.states ?? []),
    noteStates: (noted) => void (states = noted),
    keep(diffId) {
      const generation = known === undefined ? 0 : (last?.generation ?? 0) + 1;
      return o.copies.store(o.name, { diffId, generation, states, files });
    },
  };
}

async function unchangedOf(
  entries: readonly TreeEntry[],
  o: Pick<TwinsOf, 'source' | 'walk' | 'signal'>,
): Promise<readonly string[]> {
  const { directory } = o.source;
  if (entries.length <= FEW) return entries.filter((entry) => isStill(directory, entry)).map(({ path }) => path);
  const now = await takeWalk(directory, o.signal);
  return now.text === o.walk.text ? entries.map(({ path }) => path) : unchanged(entries, now);
}

function unchanged(entries: readonly TreeEntry[], now: Walk): readonly string[] {
  const stamps = new Map(now.entries().map((entry) => [entry.path, stampOf(entry)]));
  return entries.filter((entry) => stamps.get(entry.path) === stampOf(entry)).map(({ path }) => path);
}

/** All that is equal in files that are twins. */
function factsOf({ mode, uid, gid, time, size }: NewFile, digest: string): string {
  return `${mode} ${uid} ${gid} ${time} ${size} ${digest}`;
}
