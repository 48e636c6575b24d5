import { once } from 'node:events';
import type { Writable } from 'node:stream';
import type { Digest } from '../../lib/oci/index.ts';
import type { Attachment } from './attachments.ts';
import type { ImageRecord } from './face.ts';
import { tagOf, type Images } from './images.ts';
import type { LayerStore } from './layers.ts';
import { isRepositoryOnly, planSave, repositoryOf, type SavedImage, type SavedMember } from './save-plan.ts';
import { createStreamSink, type Sink } from './sink.ts';
import { encodeHeader, paddingOf, TAR_END } from './tar-encoder.ts';
import { tarEntry } from './tar-entry.ts';

interface SaveContext {
  readonly images: Images;
  readonly layers: LayerStore;
  /** Of each image: what goes along. */
  readonly attachmentsOf?: ((id: Digest) => readonly Attachment[]) | undefined;
  readonly signal?: AbortSignal;
}

/**
 * `docker save`; ends the stream. On failure the stream is destroyed: a part must not be taken for the whole.
 * @throws UserError `image-not-found`, `layer-damaged`
 */
export async function saveImages(names: readonly string[], stream: Writable, o: SaveContext): Promise<void> {
  const members = planSave(chosenImages(names, o));
  const sink = createStreamSink(stream, o.signal);
  try {
    for (const member of members) await writeMember(member, { ...o, sink });
    sink.write(TAR_END);
    await sink.flush();
  } catch (error) {
    stream.destroy();
    throw error;
  }
  stream.end();
  if (!stream.writableFinished) await once(stream, 'finish');
}

async function writeMember(member: SavedMember, o: SaveContext & { sink: Sink }): Promise<void> {
  const size = member.kind === 'layer' ? member.size : member.bytes.length;
  o.sink.write(encodeHeader(tarEntry({ path: member.name, type: 'file', mode: 0o644, size })));
  if (member.kind === 'layer') await o.layers.writeTar(member.diffId, o.sink, o.signal);
  else o.sink.write(member.bytes);
  o.sink.write(paddingOf(size));
  await o.sink.flush();
}

/** Each image once, with the names it was asked for by. */
function chosenImages(names: readonly string[], o: SaveContext): readonly SavedImage[] {
  const chosen = new Map<Digest, Set<string>>();
  for (const name of names) {
    for (const { image, references } of imagesNamed(name, o.images)) {
      const known = chosen.get(image.id) ?? new Set();
      for (const reference of references) known.add(reference);
      chosen.set(image.id, known);
    }
  }
  return [...chosen].map(([id, references]) => ({
    configBytes: o.images.configBytes(id),
    layers: o.images.get(id).config.rootfs.diff_ids.map((diffId) => ({ diffId, tarBytes: o.layers.tarBytes(diffId) })),
    references: [...references],
    attachments: o.attachmentsOf?.(id) ?? [],
  }));
}

function imagesNamed(name: string, images: Images): readonly { image: ImageRecord; references: readonly string[] }[] {
  const repository = isRepositoryOnly(name) ? images.list().flatMap((image) => taggedIn(name, image)) : [];
  if (repository.length > 0) return repository;
  const image = images.get(name);
  const isTag = image.references.includes(tagOrEmpty(name));
  return [{ image, references: isTag ? [tagOrEmpty(name)] : [] }];
}

function taggedIn(name: string, image: ImageRecord): readonly { image: ImageRecord; references: readonly string[] }[] {
  const wanted = repositoryOrEmpty(name);
  const references = image.references.filter((reference) => repositoryOf(reference) === wanted);
  return references.length === 0 ? [] : [{ image, references }];
}

function tagOrEmpty(name: string): string {
  try {
    return tagOf(name);
  } catch {
    return ''; // an id
  }
}

function repositoryOrEmpty(name: string): string {
  try {
    return repositoryOf(name);
  } catch {
    return '';
  }
}
