import { UserError } from '../../lib/errors.ts';
import { cleanPath, requireName } from './layer-names.ts';
import { baseOf, parentOf, tarEntry, textOf, type TarEntry } from './tar-entry.ts';
import { invalidArchive } from './tar-parser.ts';

/** OCI Image Specification, Image Layer Filesystem Changeset: Whiteouts. */
const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_MARKER = '.wh..wh..opq';
const OPAQUE_XATTR = 'trusted.overlay.opaque';
const OPAQUE = new Map([[OPAQUE_XATTR, Buffer.from('y')]]);

/** From overlayfs to OCI: entries of an upper folder, in order, become those of the layer's archive. */
export function createLayerExport(): (entry: TarEntry) => readonly TarEntry[] {
  const whiteouts = new Set<string>();
  return (entry) => {
    if (baseOf(entry.path).startsWith(WHITEOUT_PREFIX)) throw reservedName(entry.path);
    if (isWhiteout(entry, whiteouts)) {
      whiteouts.add(entry.path);
      return [marker(entry.path, `${WHITEOUT_PREFIX}${baseOf(entry.path)}`)];
    }
    const xattrs = entry.type === 'hardlink' ? new Map<string, Buffer>() : keptXattrs(entry);
    const kept = { ...entry, xattrs };
    const isOpaque = entry.type === 'directory' && entry.xattrs.get(OPAQUE_XATTR)?.toString() === 'y';
    return isOpaque ? [kept, marker(`${entry.path}/x`, OPAQUE_MARKER)] : [kept];
  };
}

/** Newer kernels make all whiteouts of an overlay hard links of one device. */
function isWhiteout(entry: TarEntry, known: ReadonlySet<string>): boolean {
  if (entry.type === 'hardlink') return known.has(entry.linkTarget);
  return entry.type === 'character' && entry.major === 0 && entry.minor === 0;
}

function marker(sibling: string, name: string): TarEntry {
  const parent = parentOf(sibling);
  return tarEntry({ path: parent === '' ? name : `${parent}/${name}`, type: 'file' });
}

/** What belongs to the file and not to the machine: capabilities and users' own attributes. */
function keptXattrs(entry: TarEntry): ReadonlyMap<string, Buffer> {
  if (entry.xattrs.size === 0) return entry.xattrs;
  return new Map([...entry.xattrs].filter(([name]) => isPortableXattr(name)));
}

function isPortableXattr(name: string): boolean {
  return name === 'security.capability' || (name.startsWith('user.') && !name.startsWith('user.overlay.'));
}

/** Names are kept in memory while an archive is read: those of the largest real layers are a tenth of it. */
const MOST_ENTRIES = 4_000_000;
const MOST_NAME_BYTES = 512 * 1024 * 1024;

export interface LayerImport {
  /** What to unpack for one member of the layer's archive; content follows only the last of them. */
  entry(entry: TarEntry): readonly TarEntry[];
  /** What to unpack after the last one. */
  end(): readonly TarEntry[];
}

/**
 * From OCI to overlayfs, and the guard at the door: what comes out has plain relative names, never goes through a
 * symbolic link of the same archive, and sets no attribute that overlayfs itself would read.
 * Opaque folders are named again at the end: their marker may stand anywhere in the archive.
 * @param maxEntries e.g. as many as the file system has room for
 */
export function createLayerImport(maxEntries = MOST_ENTRIES): LayerImport {
  let entries = 0;
  let nameBytes = 0;
  /** Every name that was one: what replaces it may fail, and GNU tar goes on then. */
  const symlinks = new Set<string>();
  /** Folders with their entries, everything else with null. */
  const present = new Map<string, TarEntry | null>();
  const whiteouts = new Set<string>();
  const opaque = new Set<string>();

  const count = (path: string): void => {
    entries += 1;
    nameBytes += path.length;
    if (entries > Math.min(maxEntries, MOST_ENTRIES)) throw invalidArchive('it has more members than can be taken');
    if (nameBytes > MOST_NAME_BYTES) throw invalidArchive('the names of its members are too long');
  };
  const guard = (path: string): void => {
    for (let parent = parentOf(path); parent !== ''; parent = parentOf(parent)) {
      if (symlinks.has(parent))
        throw invalidArchive(`"${textOf(path)}" goes through the symbolic link "${textOf(parent)}"`);
    }
  };
  const remember = (entry: TarEntry): void => {
    // a hard link of a symbolic link is one, too
    const isLink = entry.type === 'symlink' || (entry.type === 'hardlink' && symlinks.has(entry.linkTarget));
    if (isLink) symlinks.add(entry.path);
    present.set(entry.path, entry.type === 'directory' ? entry : null);
    if (entry.type === 'directory' && whiteouts.has(entry.path)) opaque.add(entry.path);
  };
  /** Deletes what lower layers have; a member of this layer with that name stays. */
  const whiteout = (device: TarEntry): readonly TarEntry[] => {
    whiteouts.add(device.path);
    const member = present.get(device.path);
    if (member === undefined) return [device];
    if (member !== null) opaque.add(device.path);
    return [];
  };
  return {
    entry(raw) {
      const path = cleanPath(raw.path);
      requireName(path);
      count(path);
      const name = baseOf(path);
      guard(path);
      if (path === '') return [];
      if (name === OPAQUE_MARKER) {
        if (parentOf(path) !== '') opaque.add(parentOf(path));
        return [];
      }
      if (name.startsWith(`${WHITEOUT_PREFIX}${WHITEOUT_PREFIX}`)) return []; // AUFS's own bookkeeping
      if (name.startsWith(WHITEOUT_PREFIX)) return whiteout(whiteoutDevice(path));
      const entry = safeEntry({ ...raw, path, xattrs: keptXattrs(raw) });
      if (entry.type === 'hardlink') guard(entry.linkTarget);
      remember(entry);
      return [entry];
    },
    end() {
      return [...opaque].map((path) => {
        guard(`${path}/x`);
        const known = present.get(path) ?? tarEntry({ path, type: 'directory', mode: 0o755 });
        return { ...known, xattrs: new Map([...known.xattrs, ...OPAQUE]) };
      });
    },
  };
}

function whiteoutDevice(path: string): TarEntry {
  const name = baseOf(path).slice(WHITEOUT_PREFIX.length);
  if (name === '' || name === '.' || name === '..') throw invalidArchive(`"${textOf(path)}" is no whiteout`);
  const parent = parentOf(path);
  return tarEntry({ path: parent === '' ? name : `${parent}/${name}`, type: 'character' });
}

/** `dev_t` of Linux has 12 bits for the major and 20 for the minor number: others would be cut to another device. */
const MAJORS = 2 ** 12;
const MINORS = 2 ** 20;

/** A character device 0/0 in an archive would be a whiteout in disguise. */
function safeEntry(entry: TarEntry): TarEntry {
  if (entry.type === 'hardlink') {
    const linkTarget = cleanPath(entry.linkTarget);
    requireName(linkTarget);
    if (linkTarget === '') throw invalidArchive(`"${textOf(entry.path)}" is a hard link to nothing`);
    return { ...entry, linkTarget };
  }
  if (entry.type === 'character' && entry.major === 0 && entry.minor === 0) {
    throw invalidArchive(`"${textOf(entry.path)}" is a character device 0/0`);
  }
  if (entry.major < 0 || entry.major >= MAJORS || entry.minor < 0 || entry.minor >= MINORS)
    throw invalidArchive(`"${textOf(entry.path)}" is a device that there cannot be`);
  if (entry.type !== 'symlink') return entry;
  requireName(entry.linkTarget);
  if (entry.linkTarget === '') throw invalidArchive(`"${textOf(entry.path)}" points nowhere`);
  return entry;
}

function reservedName(path: string): UserError {
  return new UserError({
    code: 'layer-name-reserved',
    kind: 'invalid',
    message: `the file name "/${textOf(path)}" cannot be kept in an image: names that begin with ".wh." mean deletions`,
    fix: 'Give the file another name, or remove it in the step that makes it.',
  });
}
