import type { Readable } from 'node:stream';
import { startProgram } from './program.ts';
import type { RecipeWriter } from './layer-recipe.ts';
import { roomIn } from '../../lib/room.ts';
import { createDigestSink, createStreamSink } from './sink.ts';
import { encodeHeader, paddingOf, TAR_END } from './tar-encoder.ts';
import { createTarParser, invalidArchive } from './tar-parser.ts';
import type { TarEntry } from './tar-entry.ts';
import { createLayerImport } from './whiteouts.ts';
import type { Digest } from '../../lib/oci/index.ts';

const TAR_OPTIONS = [
  '--extract',
  '--file=-',
  '--blocking-factor=512', // it takes 256 KiB at once, and fewer where no more is there
  '--absolute-names', // names are clean already, and links are kept as they are
  '--numeric-owner',
  '--same-owner',
  '--same-permissions',
  '--delay-directory-restore',
  '--xattrs',
  '--xattrs-include=*',
  '--no-acls',
  '--no-selinux',
];

export interface UnpackOptions {
  /** Empty. */
  readonly directory: string;
  /** Of the archive; what the disk has room for when absent. */
  readonly maxBytes?: number;
  readonly recipe?: RecipeWriter;
  readonly signal?: AbortSignal;
}

export interface UnpackedFigures {
  /** Digest of the archive as it came: the diffID. */
  readonly diffId: Digest;
  /** Length of the archive as it came. */
  readonly tarBytes: number;
  /** Sum of the sizes of its regular files. */
  readonly contentBytes: number;
}

/**
 * Unpacks a layer's uncompressed archive into an empty folder, as overlayfs wants it. The archive is not trusted:
 * every name passes `createLayerImport` before GNU tar sees it.
 * @throws UserError `archive-invalid`
 */
export async function unpackLayer(archive: Readable, o: UnpackOptions): Promise<UnpackedFigures> {
  await using tar = startProgram(['tar', ...TAR_OPTIONS, `--directory=${o.directory}`], o.signal);
  const sink = createStreamSink(tar.stdin, o.signal);
  const original = createDigestSink();
  const room = await roomIn(o.directory);
  const maxBytes = o.maxBytes ?? room.bytes;
  const converter = createConverter((data) => sink.write(data), { recipe: o.recipe, maxEntries: room.inodes });
  try {
    for await (const chunk of archive) {
      original.write(chunk as Buffer);
      if (original.length() > maxBytes) throw tooLarge(maxBytes);
      converter.parser.write(chunk as Buffer);
      await sink.flush();
      await o.recipe?.flush();
    }
    converter.end();
    await sink.flush();
    tar.stdin.end();
  } catch (error) {
    if (tar.stdin.destroyed) await tar.succeeded(); // tar went away first: it knows why
    throw error;
  }
  await tar.succeeded();
  return { diffId: original.digest(), tarBytes: original.length(), contentBytes: converter.contentBytes() };
}

function createConverter(
  write: (data: Buffer) => void,
  { recipe, maxEntries }: { readonly recipe: RecipeWriter | undefined; readonly maxEntries: number },
) {
  const layer = createLayerImport(maxEntries);
  let size = 0;
  let isKept = false;
  let contentBytes = 0;
  const header = (entry: TarEntry): void => write(encodeHeader(entry));
  const parser = createTarParser({
    onEntry(entry) {
      const members = layer.entry(entry);
      for (const member of members) header(member);
      const last = members.at(-1);
      isKept = last?.type === 'file';
      size = entry.size;
      if (isKept) contentBytes += size;
      recipe?.entry(last);
    },
    onData(data) {
      if (isKept) write(data);
      recipe?.content(data);
    },
    onEntryEnd() {
      if (isKept) write(paddingOf(size));
    },
    ...(recipe === undefined ? {} : { onFrame: (data: Buffer) => recipe.frame(data) }),
  });
  return {
    parser,
    contentBytes: () => contentBytes,
    end() {
      parser.end();
      for (const member of layer.end()) header(member);
      write(TAR_END);
    },
  };
}

function tooLarge(maxBytes: number): Error {
  return invalidArchive(`it is larger than ${maxBytes} bytes`);
}
