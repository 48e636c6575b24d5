import { lstatSync, readlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import { NameReader } from './archive-names.ts';

const MOST_LINKS = 40;

/** Looks at an archive as it goes by to GNU tar. */
export interface ArchiveGuard {
  /** @throws UserError `copy-through-link`; then the chunk must not reach tar */
  look(chunk: Buffer): void;
}

/**
 * Refuses members that would be written through a link of the container that leads out of it: tar runs on the host, where
 * an absolute link means the host's files. The sender of the archive is trusted, the container's files are not.
 * @param root of the container, on the host
 * @param directory below it where the archive is unpacked, without links
 */
export function guardArchive(root: string, directory: string): ArchiveGuard {
  const top = nameOf(root);
  const start = partsOf(nameOf(directory).slice(top.length));
  /** Real places of folders of the archive: tar makes folders of what is there. */
  const folders = new Set<string>();
  const parents = new Map<string, readonly string[]>();
  const names = new NameReader((name, isFolder) => {
    const parent = dirname(name);
    const place = parents.get(parent) ?? placeOf(parent, { top, start, folders });
    parents.set(parent, place);
    if (isFolder) folders.add([...place, basename(name)].join('/'));
  });
  return { look: (chunk) => names.read(chunk) };
}

interface Where {
  readonly top: string;
  readonly start: readonly string[];
  readonly folders: ReadonlySet<string>;
}

/** Walks as the kernel would. @throws UserError `copy-through-link` */
function placeOf(path: string, { top, start, folders }: Where): readonly string[] {
  const done = [...start];
  const todo = partsOf(path);
  let links = 0;
  for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
    if (part === '..') {
      if (done.length === 0) throw leadsOut(path);
      done.pop();
      continue;
    }
    const isFolder = folders.has([...done, part].join('/'));
    const target = isFolder ? undefined : linkAt(join(top, ...done, part));
    if (target === undefined) {
      done.push(part);
      continue;
    }
    if (target.startsWith('/') || ++links > MOST_LINKS) throw leadsOut(path);
    todo.unshift(...partsOf(target));
  }
  return done;
}

/** Names of files are bytes: each character is one. */
function nameOf(text: string): string {
  return Buffer.from(text).toString('latin1');
}

function linkAt(path: string): string | undefined {
  const bytes = Buffer.from(path, 'latin1');
  try {
    return lstatSync(bytes, { throwIfNoEntry: false })?.isSymbolicLink() === true
      ? readlinkSync(bytes, 'latin1')
      : undefined;
  } catch {
    return undefined; // tar will say it
  }
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function leadsOut(parent: string): UserError {
  const shown = Buffer.from(parent, 'latin1').toString();
  return new UserError({
    code: 'copy-through-link',
    kind: 'invalid',
    message: `"${shown}" in the container goes through a link that could lead out of it`,
    fix: 'Copy to the folder itself that the link leads to.',
  });
}
