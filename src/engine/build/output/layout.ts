import { createWriteStream } from 'node:fs';
import { open, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { systemCodeOf, UserError } from '../../../lib/errors.ts';
import { syncDirectory, writeFileAtomic } from '../../../lib/files.ts';
import { type Descriptor, type Digest, digestOf, hexOf } from '../../../lib/oci/index.ts';
import type { ImageStore } from '../../image/index.ts';
import type { FileOwner } from '../face.ts';
import { giveTo, makeFolder } from './owner.ts';
import type { Unfinished } from './unfinished.ts';

export const REF_NAME = 'org.opencontainers.image.ref.name';
const INDEX_TYPE = 'application/vnd.oci.image.index.v1+json';
const LAYER_TYPE = 'application/vnd.oci.image.layer.v1.tar';

/** A folder that is an OCI layout (Image Specification, Image Layout). Blobs are there, whole and synced, before the index. */
export interface LayoutWriter {
  blob(bytes: Buffer, mediaType: string): Promise<Descriptor>;
  /** Uncompressed: its digest is the diffID. */
  layer(diffId: Digest): Promise<Descriptor>;
  /** Replaces what the index has under the same names (or without one), and keeps the rest. */
  finish(manifests: readonly Descriptor[]): Promise<void>;
}

interface LayoutOptions {
  readonly images: Pick<ImageStore, 'writeLayerTar' | 'layerTarBytes'>;
  readonly unfinished: Unfinished;
  readonly owner: FileOwner | undefined;
  readonly signal: AbortSignal;
}

export async function openLayout(directory: string, o: LayoutOptions): Promise<LayoutWriter> {
  const blobs = join(directory, 'blobs/sha256');
  await makeFolder(blobs, o.owner);

  async function put(digest: Digest, write: (path: string) => Promise<void>): Promise<void> {
    const path = join(blobs, hexOf(digest));
    if ((await stat(path).catch(() => undefined)) !== undefined) return;
    await using temporary = await o.unfinished.beside(path);
    await write(temporary.path);
    await syncFile(temporary.path);
    await giveTo(temporary.path, o.owner);
    await rename(temporary.path, path);
  }

  return {
    async blob(bytes, mediaType) {
      const digest = digestOf(bytes);
      await put(digest, (path) => writeFile(path, bytes));
      return { mediaType, digest, size: bytes.length };
    },
    async layer(diffId) {
      await put(diffId, (path) => writeLayer(createWriteStream(path), { ...o, diffId }));
      return { mediaType: LAYER_TYPE, digest: diffId, size: o.images.layerTarBytes(diffId) };
    },
    async finish(manifests) {
      await syncDirectory(blobs);
      const names = new Set(manifests.map(({ annotations }) => annotations?.[REF_NAME]));
      const kept = (await readLayoutIndex(directory)).filter(({ annotations }) => !names.has(annotations?.[REF_NAME]));
      const index = { schemaVersion: 2, mediaType: INDEX_TYPE, manifests: [...kept, ...manifests] };
      await writeFileAtomic(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
      await writeFileAtomic(join(directory, 'index.json'), JSON.stringify(index));
      await giveTo(directory, o.owner);
    },
  };
}

/** Writes a layer's archive and ends the stream; all of it is there afterwards. */
export async function writeLayer(
  stream: Writable,
  o: Pick<LayoutOptions, 'images' | 'signal'> & { readonly diffId: Digest },
): Promise<void> {
  const ended = finished(stream);
  ended.catch(() => {}); // told by the writing, which fails too
  await o.images.writeLayerTar(o.diffId, stream, o.signal);
  await ended;
}

/** The descriptors of a layout's index; none where there is no layout. @throws UserError `oci-layout-invalid` */
export async function readLayoutIndex(directory: string): Promise<readonly Descriptor[]> {
  try {
    const index = JSON.parse(await readFile(join(directory, 'index.json'), 'utf8')) as { manifests?: unknown };
    if (Array.isArray(index.manifests)) return index.manifests as readonly Descriptor[];
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return [];
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new UserError({
    code: 'oci-layout-invalid',
    kind: 'invalid',
    message: `${join(directory, 'index.json')} is no index of an OCI layout`,
    fix: 'Name a folder that is an OCI layout, or a new one.',
  });
}

/** The bytes of a blob, verified. @throws UserError `oci-layout-invalid` */
export async function readLayoutBlob(directory: string, { digest, size }: Descriptor): Promise<Buffer> {
  const path = layoutBlobPath(directory, digest);
  const bytes = await readFile(path);
  if (bytes.length === size && digestOf(bytes) === digest) return bytes;
  throw new UserError({
    code: 'oci-layout-invalid',
    kind: 'invalid',
    message: `${path} is not what its name says`,
    fix: 'Remove the folder and write it anew.',
  });
}

export function layoutBlobPath(directory: string, digest: Digest): string {
  return join(directory, 'blobs/sha256', hexOf(digest));
}

/** Content and name of a file survive a power failure after this, once its folder is synced too. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

export async function renameSynced(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncDirectory(dirname(to));
}
