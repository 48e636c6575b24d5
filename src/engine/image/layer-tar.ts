import { cleanPath } from './layer-names.ts';
import { startProgram } from './program.ts';
import type { Sink } from './sink.ts';
import { readSmallFolder } from './small-layer.ts';
import { encodeHeader, paddingOf, TAR_END } from './tar-encoder.ts';
import { createTarParser } from './tar-parser.ts';
import type { TarEntry } from './tar-entry.ts';
import { createLayerExport } from './whiteouts.ts';
import type { XattrReader } from './xattr.ts';

export interface LayerTarFigures {
  /** Length of the archive. */
  readonly tarBytes: number;
  /** Sum of the sizes of regular files. */
  readonly contentBytes: number;
}

/**
 * Writes the archive of an unpacked layer: the same bytes for the same folder, always (names sorted bytewise per
 * folder, owners as numbers, whole seconds, whiteouts as OCI has them). The digest of these bytes is the diffID.
 * Large folders are read by GNU tar, whose archive is taken apart and encoded anew; small ones in this process.
 */
export async function writeLayerTar(
  directory: string,
  o: { sink: Sink; xattrs: XattrReader | undefined; signal?: AbortSignal },
): Promise<LayerTarFigures> {
  const members = o.xattrs === undefined ? undefined : readSmallFolder(directory, o.xattrs);
  const encoder = createLayerEncoder(o.sink);
  if (members === undefined) await encodeByTar(directory, encoder, o);
  else {
    for (const { entry, content } of members) {
      encoder.entry(entry);
      if (content !== undefined && content.length > 0) encoder.data(content);
    }
  }
  encoder.end();
  await o.sink.flush();
  return encoder.figures();
}

export interface LayerEncoder {
  entry(entry: TarEntry): void;
  data(data: Buffer): void;
  /** All content of the entry goes another way. */
  contentElsewhere(): void;
  end(): void;
  figures(): LayerTarFigures;
}

/** Entries of an upper folder become the bytes of its archive. */
export function createLayerEncoder(sink: Sink): LayerEncoder {
  const exported = createLayerExport();
  let tarBytes = 0;
  let contentBytes = 0;
  let size = 0;
  let remaining = 0;
  const write = (data: Buffer): void => {
    tarBytes += data.length;
    sink.write(data);
  };
  return {
    entry(entry) {
      // Whole seconds: what a file has below is nothing that every file system and archive keeps.
      for (const member of exported(entry)) write(encodeHeader({ ...member, nanoseconds: 0 }));
      size = entry.size;
      remaining = size;
      contentBytes += size;
    },
    data(data) {
      write(data);
      remaining -= data.length;
      if (remaining === 0) write(paddingOf(size));
    },
    contentElsewhere() {
      tarBytes += size;
      remaining = 0;
      write(paddingOf(size));
    },
    end: () => write(TAR_END),
    figures: () => ({ tarBytes, contentBytes }),
  };
}

const TAR_OPTIONS = [
  '--create',
  '--file=-',
  '--format=posix',
  '--pax-option=delete=atime,delete=ctime',
  '--sort=name',
  '--numeric-owner',
  '--xattrs',
  '--xattrs-include=security.capability',
  '--xattrs-include=trusted.overlay.opaque',
  '--xattrs-include=user.*',
  '--no-acls',
  '--no-selinux',
];

/** The folder as GNU tar reads it: walking, sorting and reading files happen in its process. */
async function encodeByTar(
  directory: string,
  encoder: LayerEncoder,
  o: { sink: Sink; signal?: AbortSignal },
): Promise<void> {
  await using tar = startProgram(['tar', ...TAR_OPTIONS, `--directory=${directory}`, '.'], o.signal);
  const parser = createTarParser({
    onEntry: (entry) => {
      const path = cleanPath(entry.path);
      const linkTarget = entry.type === 'hardlink' ? cleanPath(entry.linkTarget) : entry.linkTarget;
      if (path !== '')
        encoder.entry({
          ...entry,
          path,
          linkTarget: entry.type === 'symlink' || entry.type === 'hardlink' ? linkTarget : '',
        });
    },
    onData: (data) => encoder.data(data),
    onEntryEnd() {},
  });
  tar.stdin.end();
  for await (const chunk of tar.stdout) {
    parser.write(chunk as Buffer);
    await o.sink.flush();
  }
  await tar.succeeded();
  parser.end();
}
