import type { Readable } from 'node:stream';
import { startProgram } from './program.ts';
import { createDigestSink, createStreamSink } from './sink.ts';
import { encodeHeader, paddingOf, TAR_END } from './tar-encoder.ts';
import { createTarParser } from './tar-parser.ts';
import type { TarEntry } from './tar-entry.ts';
import { createLayerImport } from './whiteouts.ts';
import type { Digest } from '../../lib/oci/index.ts';

const TAR_OPTIONS = [
  '--extract',
  '--file=-',
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

/**
 * Unpacks a layer's uncompressed archive into an empty folder, as overlayfs wants it. The archive is not trusted:
 * every name passes `createLayerImport` before GNU tar sees it.
 * @returns the digest of the archive as it came: the diffID
 * @throws UserError `archive-invalid`
 */
export async function unpackLayer(archive: Readable, o: { directory: string; signal?: AbortSignal }): Promise<Digest> {
  await using tar = startProgram(['tar', ...TAR_OPTIONS, `--directory=${o.directory}`], o.signal);
  const sink = createStreamSink(tar.stdin, o.signal);
  const original = createDigestSink();
  const converter = createConverter((data) => sink.write(data));
  try {
    for await (const chunk of archive) {
      original.write(chunk as Buffer);
      converter.parser.write(chunk as Buffer);
      await sink.flush();
    }
    converter.end();
    await sink.flush();
    tar.stdin.end();
  } catch (error) {
    if (tar.stdin.destroyed) await tar.succeeded(); // tar went away first: it knows why
    throw error;
  }
  await tar.succeeded();
  return original.digest();
}

function createConverter(write: (data: Buffer) => void) {
  const layer = createLayerImport();
  let size = 0;
  let isKept = false;
  const header = (entry: TarEntry): void => write(encodeHeader(entry));
  const parser = createTarParser({
    onEntry(entry) {
      const members = layer.entry(entry);
      for (const member of members) header(member);
      isKept = members.at(-1)?.type === 'file';
      size = entry.size;
    },
    onData(data) {
      if (isKept) write(data);
    },
    onEntryEnd() {
      if (isKept) write(paddingOf(size));
    },
  });
  return {
    parser,
    end() {
      parser.end();
      for (const member of layer.end()) header(member);
      write(TAR_END);
    },
  };
}
