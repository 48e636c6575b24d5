import type { DatabaseSync } from 'node:sqlite';
import type { Readable, Writable } from 'node:stream';
import type { Log } from '../../lib/log.ts';
import type { Digest, ExecutionConfig, ImageConfig } from '../../lib/oci/index.ts';
import type { Attachments } from './attachments.ts';
import type { Sink } from './sink.ts';
import type { Snapshot } from './snapshot.ts';

export interface ImageStoreOptions {
  /** `<root>/engine`; the store keeps `layers/`, `uppers/`, `blobs/sha256/` and `temporary/` in it. */
  readonly directory: string;
  readonly database: DatabaseSync;
  readonly log: Log;
}

/** One layer, unpacked as overlayfs wants it: whiteouts are character devices 0/0, opaque folders have an xattr. */
export interface Layer {
  /** Digest of the layer's uncompressed tar. */
  readonly diffId: Digest;
  readonly directory: string;
  /** Sum of the sizes of its regular files. */
  readonly sizeBytes: number;
}

export interface ImageRecord {
  /** Digest of the image's configuration. */
  readonly id: Digest;
  readonly config: ImageConfig;
  /** Familiar `name:tag`, sorted. */
  readonly references: readonly string[];
  /** Familiar `name@sha256:…`. */
  readonly repoDigests: readonly string[];
  /** Sum over its layers. */
  readonly sizeBytes: number;
  readonly createdAt: Date;
  /** The image that this one was built on, where it was built here. */
  readonly parent?: Digest;
}

/** A writable pair of folders for overlayfs that becomes a layer (`seal`) or is thrown away (`discard`). */
export interface Upper {
  readonly directory: string;
  readonly workDirectory: string;
}

/** A file that comes into an upper folder as it is sealed. Paths are byte strings: each character is one byte. */
export interface NewFile {
  /** In the layer; its folder is there, it is not. */
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Whole seconds since 1970, a point, and the nanoseconds above them. */
  readonly time: string;
  /** Of the content; 0 unless it is copied or a twin. */
  readonly size: number;
  /** Sorted by name. */
  readonly xattrs?: ReadonlyMap<string, Buffer>;
  readonly content:
    | { readonly kind: 'copy'; /** On this host. */ readonly from: string }
    /** A file of another layer that is the same in all things: both are one file from now on. */
    | { readonly kind: 'twin'; /** On this host. */ readonly of: string }
    /** Another name of a file that comes too, and earlier in the archive. */
    | { readonly kind: 'name'; /** In the layer. */ readonly of: string }
    | { readonly kind: 'symlink'; readonly target: string };
}

export interface Filling {
  readonly files: readonly NewFile[];
  /** Sets the time, and attributes where there are any; links are not followed. */
  setMetadata(path: Buffer, o: Pick<NewFile, 'time' | 'xattrs'>): void;
  /** Called when all are there, while the digest is still being computed; waited for. */
  made?(): Promise<void>;
  /** Of the layer that the twins are in: what its archive begins with is not read again. */
  readonly states?: readonly DigestState[];
  /** Hears the states of the new layer, before it is sealed. */
  noteStates?(states: readonly DigestState[]): void;
  readonly signal?: AbortSignal;
}

/** The computation of a layer's digest, in the midst of it. */
export interface DigestState {
  /** Contents that are digested. */
  readonly done: number;
  /** Base64. */
  readonly state: string;
  /** Stands for all in the archive up to there but the contents. */
  readonly check: string;
  /** Whose state it is. */
  readonly library: string;
}

/** One line of `docker rmi`. */
export type RemovedImage = { readonly untagged: string } | { readonly deleted: Digest };

export interface PrunedImages {
  readonly removed: readonly RemovedImage[];
  readonly freedBytes: number;
}

export interface ImageEvent {
  readonly kind: 'tag' | 'untag' | 'delete' | 'load' | 'import';
  readonly id: Digest;
  /** Docker's `name` attribute: the reference, or the id where there is none. */
  readonly name: string;
  readonly at: Date;
}

/** One row of `docker history`, newest first (Engine API, `GET /images/{name}/history`). */
export interface HistoryRow {
  /** The image after this step where it is in the store, else `<missing>`. */
  readonly id: Digest | '<missing>';
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly references: readonly string[];
  readonly sizeBytes: number;
  readonly comment: string;
}

export interface RegisterRequest {
  /** `rootfs.diff_ids` name layers that are in the store. */
  readonly config: ImageConfig;
  readonly references?: readonly string[];
  readonly parent?: Digest;
}

export interface ImportOptions {
  readonly references?: readonly string[];
  /** Laid over the execution parameters of the new image (`docker import --change`). */
  readonly config?: ExecutionConfig;
  readonly message?: string;
  readonly signal?: AbortSignal;
}

/** What `load` does at the moment. */
interface LoadProgress {
  readonly diffId: Digest;
  readonly state: 'unpacking' | 'exists' | 'done';
}

export interface LoadOptions {
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
}

export interface SaveOptions {
  /** Provenance and bills of materials, as referrers in the OCI layout. */
  readonly withAttachments?: boolean;
  readonly signal?: AbortSignal;
}

export interface BootstrapOptions {
  /** Packages as they were then: the same moment gives the same image. */
  readonly snapshot?: Snapshot;
  /** A line of what the bootstrap says. */
  onOutput(line: string): void;
  readonly signal?: AbortSignal;
}

/** A compressed form of a layer that a registry has (pulled from it, or pushed to it). */
export interface LayerBlob {
  readonly diffId: Digest;
  /** Of the blob; the diffId itself where it is not compressed. */
  readonly digest: Digest;
  /** Of the OCI Image Specification. */
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** Who has it: registry and path, e.g. `docker.io/library/debian`. */
  readonly repository?: string;
}

export interface AddLayerOptions {
  /** What the archive must be. */
  readonly diffId: Digest;
  /** Of the archive; more is refused. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

export interface RegisterConfigOptions {
  readonly references?: readonly string[];
  /** `name@sha256:…` each. */
  readonly repoDigests?: readonly string[];
}

/** A container that was made from an image. */
export interface ImageUser {
  readonly containerId: string;
  readonly isRunning: boolean;
}

export interface RemoveOptions {
  readonly force: boolean;
  /** Keep parents that nothing else needs (`docker rmi --no-prune`). */
  readonly keepParents?: boolean;
  usersOf(id: Digest): readonly ImageUser[];
}

export interface PruneOptions {
  /** Only images without a tag and without children; else all that no container uses. */
  readonly danglingOnly: boolean;
  usersOf(id: Digest): readonly ImageUser[];
  filter?(image: ImageRecord): boolean;
}

/** The content store of the engine: images and their layers. Names are what Docker takes: tag, digest, id, short id. */
export interface ImageStore extends Attachments {
  list(): readonly ImageRecord[];
  /** By tag, `name@digest`, id, or beginning of an id. @throws UserError `image-ambiguous` when several ids begin so */
  find(nameOrId: string): ImageRecord | undefined;
  /** @throws UserError `image-not-found` ("No such image: x:y") */
  get(nameOrId: string): ImageRecord;
  /** Bottom first. @throws UserError `image-not-found` */
  layersOf(id: Digest): readonly Layer[];
  findLayer(diffId: Digest): Layer | undefined;
  /** The build cache, say, needs layers that no image has (any more): they stay when images go. */
  retainLayers(isNeeded: (diffId: Digest) => boolean): void;
  /** Deletes layers that no image has and nobody retains. @returns bytes that were freed */
  collectLayers(): Promise<number>;
  /** Images that were built on this one. */
  childrenOf(id: Digest): readonly ImageRecord[];
  history(nameOrId: string): readonly HistoryRow[];
  /** Moves the tag here if another image has it. @throws UserError `image-not-found`, `invalid-reference` */
  tag(id: Digest, reference: string): void;
  /** Remembers what a registry calls the image, e.g. `localhost:5000/app@sha256:…`. */
  addRepoDigest(id: Digest, reference: string): void;
  /** `docker rmi`. @throws UserError `image-not-found`, `image-in-use` */
  remove(nameOrId: string, o: RemoveOptions): Promise<readonly RemovedImage[]>;
  prune(o: PruneOptions): Promise<PrunedImages>;

  /**
   * For build steps, not for containers: what is not sealed is removed when the store opens.
   * The caller unmounts it before `seal` or `discard`.
   */
  newUpper(): Promise<Upper>;
  /** Whether nothing was written: the step needs no layer (`empty_layer` in the history). */
  isEmpty(upper: Upper): Promise<boolean>;
  /**
   * Turns an unmounted upper folder into a layer. An equal one that exists is given instead. A layer that no
   * image gets and nobody retains is garbage after an hour.
   * @throws UserError `layer-name-reserved` for a file named `.wh.…`
   */
  seal(upper: Upper, signal?: AbortSignal): Promise<Layer>;
  /**
   * Puts many files into an unmounted upper folder and seals it at the same time.
   * @throws UserError `copy-failed`, and as `seal`
   */
  fillAndSeal(upper: Upper, filling: Filling): Promise<Layer>;
  discard(upper: Upper): Promise<void>;
  /** @throws UserError `layer-not-found`, `invalid-reference` */
  register(request: RegisterRequest): Promise<ImageRecord>;

  /** Length of the layer's archive, whose digest is its diffID. @throws UserError `layer-not-found` */
  layerTarBytes(diffId: Digest): number;
  /**
   * Writes the layer's archive, and ends the stream; on failure the stream is destroyed.
   * @throws UserError `layer-not-found`, `layer-damaged`
   */
  writeLayerTar(diffId: Digest, sink: Writable, signal?: AbortSignal): Promise<void>;
  /** Gives the layer's archive in pieces. @throws as `writeLayerTar` */
  copyLayerTar(diffId: Digest, sink: Sink, signal?: AbortSignal): Promise<void>;
  /**
   * Unpacks a layer's uncompressed archive as it comes; `open` is called a second time where the folder cannot give its
   * bytes again (a name comes twice). A wrong digest, a hostile name or too many bytes leave nothing
   * behind. One who asks for a layer that is being unpacked waits for it. The layer is kept for an hour, until an
   * image has it.
   * @throws UserError `archive-invalid`
   */
  addLayer(open: () => Promise<Readable>, o: AddLayerOptions): Promise<Layer>;
  /** Keeps layers for an hour for an image that is about to be registered. @returns those that are there */
  holdLayers(diffIds: readonly Digest[]): readonly Digest[];
  /** No image comes for these after all: those that nothing else needs are deleted. */
  dropLayers(diffIds: readonly Digest[]): Promise<void>;
  /**
   * Registers an image whose configuration came from elsewhere: its bytes make the id.
   * @throws UserError `archive-invalid`, `image-os-unsupported`, `layer-not-found`, `invalid-reference`
   */
  registerConfig(bytes: Buffer, o: RegisterConfigOptions): Promise<ImageRecord>;
  /** The bytes whose digest is the id. @throws UserError `image-not-found` */
  configBytes(id: Digest): Buffer;
  /** So that nothing is compressed twice, and blobs can be mounted from other repositories. */
  rememberBlob(blob: LayerBlob): void;
  /** The newest first. */
  blobsOf(diffId: Digest): readonly LayerBlob[];

  /** `docker import`: a root file system's tar, plain or compressed, becomes an image of one layer. */
  importRoot(tar: Readable, o: ImportOptions): Promise<ImageRecord>;
  /** `docker load`: a docker-archive or an OCI layout, plain or compressed. Nothing stays of a broken one. */
  load(tar: Readable, o?: LoadOptions): Promise<readonly ImageRecord[]>;
  /** `docker save`: a docker-archive that is an OCI layout too. */
  save(names: readonly string[], sink: Writable, o?: SaveOptions): Promise<void>;
  /** Makes a base image anew (whether it is there already is the caller's question) from Debian packages, e.g. `debian:bookworm`, `ubuntu:noble`, `busybox`. */
  bootstrap(reference: string, o: BootstrapOptions): Promise<ImageRecord>;
  /** The listener is called after the change is stored. */
  onEvent(listener: (event: ImageEvent) => void): void;
  /** Waits for what is written in the background. */
  close(): Promise<void>;
}
