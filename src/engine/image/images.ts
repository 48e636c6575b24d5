import {
  digestOf,
  familiarString,
  isDigest,
  parseReference,
  type Digest,
  type ImageConfig,
} from '../../lib/oci/index.ts';
import { parseImageConfig } from './archive-contents.ts';
import { imageNotFound } from './errors.ts';
import type {
  HistoryRow,
  ImageEvent,
  ImageRecord,
  PrunedImages,
  PruneOptions,
  RegisterConfigOptions,
  RegisterRequest,
  RemovedImage,
  RemoveOptions,
} from './face.ts';
import { historyOf, stepsOf, type HistoryImage } from './history.ts';
import type { LayerStore } from './layers.ts';
import { releasedLayers } from './released-layers.ts';
import type { ImageRecords, StoredImage } from './records.ts';
import { planRemoval, type RemovalStep } from './removal.ts';
import { UserError } from '../../lib/errors.ts';

export type Announce = (event: Pick<ImageEvent, 'kind' | 'id' | 'name'>) => void;

/** Images by name: what is there, what it is called, and what may go. */
export class Images {
  readonly #records: ImageRecords;
  readonly #layers: LayerStore;
  readonly #announce: Announce;

  constructor(o: { records: ImageRecords; layers: LayerStore; announce: Announce }) {
    this.#records = o.records;
    this.#layers = o.layers;
    this.#announce = o.announce;
  }

  list(): readonly ImageRecord[] {
    return this.#records.images().map((image) => this.#recordOf(image));
  }

  find(nameOrId: string): ImageRecord | undefined {
    const id = this.#resolve(nameOrId)?.id;
    const image = id === undefined ? undefined : this.#records.image(id);
    return image === undefined ? undefined : this.#recordOf(image);
  }

  get(nameOrId: string): ImageRecord {
    const image = this.find(nameOrId);
    if (image === undefined) throw imageNotFound(nameOrId);
    return image;
  }

  /** The bytes of the configuration: their digest is the image's id. */
  configBytes(id: Digest): Buffer {
    const image = this.#records.image(id);
    if (image === undefined) throw imageNotFound(id);
    return image.bytes;
  }

  childrenOf(id: Digest): readonly ImageRecord[] {
    return this.#childrenOf(id).map((image) => this.#recordOf(image));
  }

  history(nameOrId: string): readonly HistoryRow[] {
    const image = this.get(nameOrId);
    const layerSizes = image.config.rootfs.diff_ids.map((diffId) => this.#layers.find(diffId)?.sizeBytes ?? 0);
    return historyOf(image.config, { image: this.#historyImage(image.id), layerSizes });
  }

  tag(id: Digest, reference: string): void {
    if (this.#records.image(id) === undefined) throw imageNotFound(id);
    const name = tagOf(reference);
    this.#records.setReference(id, name);
    this.#announce({ kind: 'tag', id, name });
  }

  addRepoDigest(id: Digest, reference: string): void {
    if (this.#records.image(id) === undefined) throw imageNotFound(id);
    this.#records.addRepoDigest(id, familiarString(parseReference(reference)));
  }

  register(request: RegisterRequest): ImageRecord {
    return this.registerBytes(Buffer.from(JSON.stringify(request.config)), request);
  }

  /** Like `register`, with the configuration's bytes as they came: they make the id. */
  registerBytes(bytes: Buffer, request: RegisterRequest): ImageRecord {
    const id = digestOf(bytes);
    const references = (request.references ?? []).map(tagOf);
    for (const diffId of request.config.rootfs.diff_ids) this.#layers.get(diffId);
    const parent = request.parent === id ? undefined : request.parent;
    this.#records.insertImage({ id, bytes, parent, references });
    this.#layers.release(request.config.rootfs.diff_ids);
    for (const name of references) this.#announce({ kind: 'tag', id, name });
    return this.get(id);
  }

  /** An image whose configuration came from elsewhere. */
  registerConfig(bytes: Buffer, o: RegisterConfigOptions): ImageRecord {
    const { diffIds } = parseImageConfig(bytes);
    const repoDigests = (o.repoDigests ?? []).map((text) => familiarString(parseReference(text)));
    const config = { rootfs: { type: 'layers', diff_ids: diffIds } } as unknown as ImageConfig;
    const { id } = this.registerBytes(bytes, { config, references: o.references ?? [] });
    for (const reference of repoDigests) this.#records.addRepoDigest(id, reference);
    return this.get(id);
  }

  async remove(nameOrId: string, o: RemoveOptions): Promise<readonly RemovedImage[]> {
    const found = this.#resolve(nameOrId);
    if (found === undefined) throw imageNotFound(nameOrId);
    const request = { ...found, name: nameOrId, force: o.force, keepParents: o.keepParents ?? false };
    const steps = planRemoval(request, this.#view(o));
    const removed = this.#outcomeOf(steps, o);
    await this.#carryOut(steps);
    return removed;
  }

  /** Newest first: children before their parents. */
  async prune(o: PruneOptions): Promise<PrunedImages> {
    const removed: RemovedImage[] = [];
    let freedBytes = 0;
    for (const { id } of this.list().toReversed()) {
      for (const steps of this.#pruneSteps(id, o)) {
        removed.push(...this.#outcomeOf(steps, o));
        freedBytes += await this.#carryOut(steps);
      }
    }
    freedBytes += await this.#layers.collect();
    return { removed, freedBytes };
  }

  /** Drops images whose layers are lost. @returns their ids */
  dropWithout(lost: readonly Digest[]): readonly Digest[] {
    const doomed = this.#records
      .images()
      .filter((image) => image.config.rootfs.diff_ids.some((id) => lost.includes(id)));
    for (const image of doomed) this.#records.deleteImage(image.id);
    return doomed.map((image) => image.id);
  }

  /** Nothing for an image that is needed. Names go one by one, as Docker does it. */
  #pruneSteps(id: Digest, o: PruneOptions): readonly (readonly RemovalStep[])[] {
    const image = this.find(id);
    if (image === undefined || this.#childrenOf(id).length > 0 || o.usersOf(id).length > 0) return [];
    if (o.filter !== undefined && !o.filter(image)) return [];
    if (image.references.length > 0 && o.danglingOnly) return [];
    return [planRemoval({ id, name: id, reference: undefined, force: true, keepParents: false }, this.#view(o))];
  }

  /** Told before it is done. The layers of an image whose containers are left stay with these. */
  #outcomeOf(steps: readonly RemovalStep[], o: Pick<RemoveOptions, 'usersOf'>): readonly RemovedImage[] {
    const left = new Map(this.#records.images().map((image) => [image.id, image.config.rootfs.diff_ids]));
    return steps.flatMap((step): readonly RemovedImage[] => {
      if (step.kind !== 'delete') return [{ untagged: step.reference }];
      const diffIds = left.get(step.id) ?? [];
      left.delete(step.id);
      const layers = o.usersOf(step.id).length > 0 ? [] : releasedLayers(diffIds, [...left.values()]);
      return [step.id, ...layers].map((deleted) => ({ deleted }));
    });
  }

  async #carryOut(steps: readonly RemovalStep[]): Promise<number> {
    const diffIds: Digest[] = [];
    for (const step of steps) {
      if (step.kind === 'delete') diffIds.push(...(this.#records.image(step.id)?.config.rootfs.diff_ids ?? []));
      this.#take(step);
    }
    return this.#layers.removeUnused([...new Set(diffIds)]);
  }

  #take(step: RemovalStep): void {
    switch (step.kind) {
      case 'untag':
        this.#records.deleteReference(step.reference);
        return this.#announce({ kind: 'untag', id: step.id, name: step.reference });
      case 'forget-digest':
        return this.#records.deleteRepoDigest(step.id, step.reference);
      case 'delete':
        this.#records.deleteImage(step.id);
        return this.#announce({ kind: 'delete', id: step.id, name: step.id });
    }
  }

  #view(o: Pick<RemoveOptions, 'usersOf'>) {
    return {
      referencesOf: (id: Digest) => this.#records.referencesOf(id),
      repoDigestsOf: (id: Digest) => this.#records.repoDigestsOf(id),
      childrenOf: (id: Digest) => this.#childrenOf(id).map((image) => image.id),
      parentOf: (id: Digest) => this.#presentParent(id),
      usersOf: (id: Digest) => o.usersOf(id),
    };
  }

  /** An exact id, then a name, then the beginning of an id: Docker's order. */
  #resolve(nameOrId: string): { id: Digest; reference: string | undefined } | undefined {
    const exact = isDigest(nameOrId) ? nameOrId : (`sha256:${nameOrId}` as const);
    if (this.#records.image(exact) !== undefined) return { id: exact, reference: undefined };
    return this.#byName(nameOrId) ?? this.#byShortId(nameOrId);
  }

  #byName(name: string): { id: Digest; reference: string } | undefined {
    const parsed = referenceOrUndefined(name);
    if (parsed === undefined) return undefined;
    const reference = familiarString(parsed.digest === undefined ? parsed : { ...parsed, tag: undefined });
    const id =
      parsed.digest === undefined
        ? this.#records.imageOfReference(reference)
        : this.#records.imageOfRepoDigest(reference);
    return id === undefined ? undefined : { id, reference };
  }

  #byShortId(text: string): { id: Digest; reference: undefined } | undefined {
    const prefix = text.startsWith('sha256:') ? text : `sha256:${text}`;
    if (!/^sha256:[0-9a-f]{1,64}$/.test(prefix)) return undefined;
    const found = this.#records.images().filter((image) => image.id.startsWith(prefix));
    if (found.length > 1) throw ambiguous(text);
    return found[0] === undefined ? undefined : { id: found[0].id, reference: undefined };
  }

  #childrenOf(id: Digest): readonly StoredImage[] {
    return this.#records.images().filter((image) => image.parent === id);
  }

  #presentParent(id: Digest): Digest | undefined {
    const parent = this.#records.image(id)?.parent;
    return parent !== undefined && this.#records.image(parent) !== undefined ? parent : undefined;
  }

  #historyImage(id: Digest): HistoryImage {
    const parent = this.#presentParent(id);
    return {
      id,
      references: this.#records.referencesOf(id),
      steps: stepsOf(this.get(id).config).length,
      parent: parent === undefined ? undefined : this.#historyImage(parent),
    };
  }

  #recordOf(image: StoredImage): ImageRecord {
    const sizes = image.config.rootfs.diff_ids.map((diffId) => this.#layers.find(diffId)?.sizeBytes ?? 0);
    const parent = this.#presentParent(image.id);
    return {
      id: image.id,
      config: image.config,
      references: this.#records.referencesOf(image.id),
      repoDigests: this.#records.repoDigestsOf(image.id),
      sizeBytes: sizes.reduce((sum, size) => sum + size, 0),
      createdAt: createdAtOf(image.config),
      ...(parent === undefined ? {} : { parent }),
    };
  }
}

function createdAtOf(config: ImageConfig): Date {
  const at = new Date(config.created ?? 0);
  return Number.isNaN(at.getTime()) ? new Date(0) : at;
}

/** Familiar `name:tag`. @throws UserError `invalid-reference` */
export function tagOf(reference: string): string {
  const parsed = parseReference(reference);
  return familiarString({ ...parsed, digest: undefined, tag: parsed.tag ?? 'latest' });
}

function referenceOrUndefined(text: string) {
  try {
    return parseReference(text);
  } catch {
    return undefined;
  }
}

function ambiguous(text: string): UserError {
  return new UserError({
    code: 'image-ambiguous',
    kind: 'invalid',
    message: `image "${text}" is ambiguous: several ids begin so`,
    fix: 'Give more digits of the id, or a name.',
  });
}
