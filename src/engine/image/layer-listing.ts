import { lstat } from 'node:fs/promises';
import { run } from '../../lib/process.ts';
import type { Layer } from './face.ts';
import { type LayerWaste, type ListedFile, visibleFiles, wastedBytes } from './wasted-bytes.ts';
import { openXattrReader, type XattrReader } from './xattr.ts';

/** What each of an image's layers carries in vain; reads names and sizes only. @param layers bottom first */
export async function wasteOfLayers(layers: readonly Layer[], signal?: AbortSignal): Promise<readonly LayerWaste[]> {
  return wastedBytes(await listLayers(layers, signal));
}

export interface FoundFile {
  /** Inside the image, without a slash at the beginning. */
  readonly path: string;
  /** On this machine. */
  readonly file: Buffer;
}

/** The non-empty regular files of an image whose paths are wanted. Paths are bytes: each character is one. */
export async function findFiles(
  layers: readonly Layer[],
  o: { readonly isWanted: (path: string) => boolean; readonly signal?: AbortSignal },
): Promise<readonly FoundFile[]> {
  const found = visibleFiles(await listLayers(layers, o.signal), o.isWanted);
  return found.map(({ path, layer }) => ({ path, file: Buffer.from(`${layers[layer]?.directory}/${path}`, 'latin1') }));
}

async function listLayers(
  layers: readonly Layer[],
  signal: AbortSignal | undefined,
): Promise<readonly (readonly ListedFile[])[]> {
  const xattrs = openXattrReader();
  const listings: (readonly ListedFile[])[] = [];
  for (const layer of layers) {
    listings.push(await listLayer(layer.directory, { xattrs, ...(signal === undefined ? {} : { signal }) }));
  }
  return listings;
}

/** find(1) walks off the event loop; of names only those in doubt are looked at here. */
async function listLayer(
  directory: string,
  o: { readonly xattrs: XattrReader | undefined; readonly signal?: AbortSignal },
): Promise<readonly ListedFile[]> {
  const { stdout } = await run(['find', directory, '-mindepth', '1', '-printf', '%y %s %i %P\\0'], {
    encoding: 'latin1',
    ...(o.signal === undefined ? {} : { signal: o.signal }),
  });
  const listing: ListedFile[] = [];
  for (const line of stdout.split('\0')) {
    const [, type = '', size = '', inode = '', path = ''] = ENTRY.exec(line) ?? [];
    if (path === '') continue;
    const full = Buffer.from(`${directory}/${path}`, 'latin1');
    const bytes = type === 'f' ? Number(size) : 0;
    listing.push({ path, kind: await kindOf(type, full, o.xattrs), bytes, inode });
  }
  return listing;
}

const ENTRY = /^(.) (\d+) (\d+) ([^]+)$/;
const OPAQUE = 'trusted.overlay.opaque';

async function kindOf(type: string, path: Buffer, xattrs: XattrReader | undefined): Promise<ListedFile['kind']> {
  if (type === 'd') return xattrs?.read(path)?.get(OPAQUE)?.toString() === 'y' ? 'opaque' : 'folder';
  return type === 'c' && (await lstat(path)).rdev === 0 ? 'whiteout' : 'file';
}
