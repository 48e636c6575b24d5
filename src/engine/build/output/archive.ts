import { createWriteStream } from 'node:fs';
import { dirname } from 'node:path';
import { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Descriptor } from '../../../lib/oci/index.ts';
import {
  encodeHeader,
  type Layer,
  paddingOf,
  planSave,
  type SavedMember,
  TAR_END,
  tarEntry,
} from '../../image/index.ts';
import type { Session } from '../execute/session.ts';
import type { BuildOutput } from '../face.ts';
import { openLayout, renameSynced, syncFile, writeLayer } from './layout.ts';
import { giveTo, makeFolder } from './owner.ts';

interface Archive {
  readonly output: Extract<BuildOutput, { readonly kind: 'oci' | 'docker' }>;
  readonly configBytes: Buffer;
  readonly layers: readonly Layer[];
  readonly tags: readonly string[];
}

/** An image as an OCI layout, or as an archive of one; `docker` archives have Docker's own manifest too. */
export async function writeArchive(session: Session, archive: Archive): Promise<void> {
  const { images } = session.workshop.options;
  const { output, configBytes } = archive;
  const members = planSave([
    {
      configBytes,
      layers: archive.layers.map(({ diffId }) => ({ diffId, tarBytes: images.layerTarBytes(diffId) })),
      references: archive.tags,
    },
  ]).filter(({ name }) => output.kind === 'docker' || name !== 'manifest.json');
  if (output.isTar) await writeTar(session, { output, members });
  else await writeLayout(session, { output, members });
}

interface Members {
  readonly output: Archive['output'];
  readonly members: readonly SavedMember[];
}

async function writeTar(session: Session, { output, members }: Members): Promise<void> {
  await makeFolder(dirname(output.path), output.owner);
  await using temporary = await session.workshop.unfinished.beside(output.path);
  const file = createWriteStream(temporary.path);
  for (const member of members) await writeMember(session, member, file);
  await write(file, TAR_END);
  file.end();
  await finished(file);
  await syncFile(temporary.path);
  await giveTo(temporary.path, output.owner);
  await renameSynced(temporary.path, output.path);
}

async function writeMember({ workshop, signal }: Session, member: SavedMember, file: Writable): Promise<void> {
  const size = member.kind === 'layer' ? member.size : member.bytes.length;
  await write(file, encodeHeader(tarEntry({ path: member.name, type: 'file', mode: 0o644, size })));
  if (member.kind === 'bytes') await write(file, member.bytes);
  else await writeLayer(into(file), { images: workshop.options.images, diffId: member.diffId, signal });
  await write(file, paddingOf(size));
}

/** A stream that may end while the file goes on. */
function into(file: Writable): Writable {
  return new Writable({ write: (chunk: Buffer, _, done) => void file.write(chunk, done) });
}

function write(file: Writable, data: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    file.write(data, (error) => (error ? reject(error) : resolve()));
  });
}

/** As a folder; what it holds of other images stays. */
async function writeLayout(session: Session, { output, members }: Members): Promise<void> {
  const { workshop, signal } = session;
  const { images } = workshop.options;
  const layout = await openLayout(output.path, {
    images,
    unfinished: workshop.unfinished,
    owner: output.owner,
    signal,
  });
  for (const member of members) {
    if (member.kind === 'layer') await layout.layer(member.diffId);
    else if (member.name.startsWith('blobs/')) await layout.blob(member.bytes, '');
  }
  await layout.finish(manifestsOf(members));
}

function manifestsOf(members: readonly SavedMember[]): readonly Descriptor[] {
  const index = members.find(({ name }) => name === 'index.json');
  if (index?.kind !== 'bytes') throw new Error('an OCI layout has an index');
  return (JSON.parse(index.bytes.toString('utf8')) as { manifests: readonly Descriptor[] }).manifests;
}
