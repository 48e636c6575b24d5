import { lstat } from 'node:fs/promises';
import { run } from '../../lib/process.ts';
import type { Layer } from './face.ts';
import { type LayerWaste, type ListedFile, wastedBytes } from './wasted-bytes.ts';
import { openXattrReader, type XattrReader } from './xattr.ts';

/** What each of an image's layers carries in vain; reads names and sizes only. @param layers bottom first */
export async function wasteOfLayers(layers: readonly Layer[], signal?: AbortSignal): Promise<readonly LayerWaste[]> {
  const xattrs = openXattrReader();
  const listings: (readonly ListedFile[])[] = [];
  for (const layer of layers) {
    listings.push(await listLayer(layer.directory, { xattrs, ...(signal === undefined ? {} : { signal }) }));
  }
  return wastedBytes(listings);
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
