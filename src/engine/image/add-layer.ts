import { createWriteStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Digest } from '../../lib/oci/index.ts';
import type { AddLayerOptions, Layer, Upper } from './face.ts';
import { createRecipeWriter } from './layer-recipe.ts';
import type { LayerStore } from './layers.ts';
import { createDigestSink, createStreamSink } from './sink.ts';
import { invalidArchive } from './tar-parser.ts';
import { unpackLayer } from './unpack.ts';

type OpenTar = () => Promise<Readable>;

/** Adds layers whose archives come from elsewhere; two who bring the same one at the same time share the work. */
export function createLayerAdder(layers: LayerStore): (open: OpenTar, o: AddLayerOptions) => Promise<Layer> {
  const running = new Map<Digest, Promise<Layer>>();
  return async (open, o) => {
    layers.hold(o.diffId);
    for (;;) {
      o.signal?.throwIfAborted();
      const existing = layers.find(o.diffId);
      if (existing !== undefined) return existing;
      const other = running.get(o.diffId);
      if (other === undefined) break;
      await other.catch(() => {}); // theirs may have been cancelled or broken: ours is another
    }
    const work = addLayer(layers, open, o).finally(() => running.delete(o.diffId));
    running.set(o.diffId, work);
    return work;
  };
}

async function addLayer(layers: LayerStore, open: OpenTar, o: AddLayerOptions): Promise<Layer> {
  const upper = await layers.newUpper();
  try {
    await using temporary = await layers.temporary();
    return await unpackInto(upper, { ...o, layers, open, temporary: temporary.path });
  } catch (error) {
    await layers.discard(upper);
    throw error;
  }
}

interface Adding extends AddLayerOptions {
  readonly layers: LayerStore;
  readonly open: OpenTar;
  readonly temporary: string;
}

async function unpackInto(upper: Upper, o: Adding): Promise<Layer> {
  const path = join(o.temporary, 'recipe');
  const recipe = createRecipeWriter(path);
  try {
    const { diffId, ...figures } = await unpackLayer(await o.open(), { ...o, directory: upper.directory, recipe });
    if (diffId !== o.diffId) throw invalidArchive(`a layer should be ${o.diffId} and is ${diffId}`);
    if (await recipe.finish()) return await o.layers.keep({ upper, diffId, figures, form: { kind: 'recipe', path } });
  } finally {
    await recipe[Symbol.asyncDispose]();
  }
  return await o.layers.adopt({ upper, diffId: o.diffId, original: () => spoolAgain(o) }, o.signal);
}

/** A name comes twice in the archive, so that the folder cannot give its bytes: they are fetched once more and kept. */
async function spoolAgain(o: Adding): Promise<string> {
  const path = join(o.temporary, 'original');
  const digest = createDigestSink();
  await pipeline(
    await o.open(),
    async function* verify(source) {
      for await (const chunk of source) {
        digest.write(chunk as Buffer);
        yield chunk as Buffer;
      }
    },
    createWriteStream(path, { mode: 0o600 }),
    { signal: o.signal },
  );
  if (digest.digest() !== o.diffId) throw invalidArchive(`a layer should be ${o.diffId} and is another now`);
  return path;
}

/** Writes a layer's archive to a stream, and ends it; destroys it when that fails. */
export async function writeArchiveTo(
  stream: Writable,
  o: { readonly diffId: Digest; readonly layers: LayerStore; readonly signal: AbortSignal | undefined },
): Promise<void> {
  const sink = createStreamSink(stream, o.signal);
  try {
    await o.layers.writeTar(o.diffId, sink, o.signal);
    await sink.flush();
  } catch (error) {
    stream.destroy(error as Error);
    throw error;
  }
  stream.end();
}
