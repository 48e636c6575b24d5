import { mkdir, rm } from 'node:fs/promises';
import {
  digestOf,
  familiarName,
  familiarString,
  parseReference,
  platformOfNode,
  type Descriptor,
  type Digest,
  type Reference,
} from '../../../lib/oci/index.ts';
import { UserError } from '../../../lib/errors.ts';
import { discard } from './answers.ts';
import { Authorizer } from './authorization.ts';
import { endpointOf, mirrorsOf } from './endpoints.ts';
import { denied, foreignSystem, invalidAnswer, platformText, platformUnknown } from './errors.ts';
import type {
  BlobSource,
  Credential,
  FetchedManifest,
  FoundRepository,
  PulledImage,
  PullOptions,
  PushedImage,
  RegistryClient,
  RegistryClientOptions,
  ResolvedImage,
  SearchOptions,
  TransferOptions,
} from './face.ts';
import { fetchLayers, type LayersFetch } from './layers.ts';
import { createLimiter } from './limiter.ts';
import { runsOn } from './platforms.ts';
import { mountSources, pushLayers, putManifest } from './push.ts';
import type { PushTarget } from './push-target.ts';
import { pushImage } from './push-image.ts';
import { Repository, type Connection } from './repository.ts';
import { checkedConfig, fetchBlob, fetchConfig, fetchManifest, findImage, refused, type Source } from './resolve.ts';
import { searchIn } from './search.ts';
import { listTags } from './tags.ts';
import { createTransport } from './transport.ts';
import { uploadBlob } from './upload.ts';

/** As Docker's `max-concurrent-downloads` and `-uploads`, over all that happens at once. */
const LAYERS_AT_ONCE = 4;
const IDLE_MS = 60_000;
const ATTEMPTS = 5;
const FIRST_DELAY_MS = 500;
/** Docker Hub searches at another address than it is pulled from. */
const HUB_SEARCH = 'index.docker.io';
const MAX_BLOB_BYTES = 64 * 1024 * 1024;

/** Opens the client; what an earlier one left half uploaded is removed. */
export async function createRegistryClient(o: RegistryClientOptions): Promise<RegistryClient> {
  await rm(o.directory, { recursive: true, force: true });
  await mkdir(o.directory, { recursive: true, mode: 0o700 });
  return new Client(o);
}

class Client implements RegistryClient {
  readonly #o: RegistryClientOptions;
  readonly #connection: Connection;
  readonly #downloads = createLimiter(LAYERS_AT_ONCE);
  readonly #uploads = createLimiter(LAYERS_AT_ONCE);
  /** Layers that pulls are bringing: how many of them. */
  readonly #wanted = new Map<Digest, number>();

  constructor(o: RegistryClientOptions) {
    this.#o = o;
    const idleMs = o.limits?.idleMs ?? IDLE_MS;
    const transport = createTransport(o.settings);
    this.#connection = {
      transport,
      authorizer: new Authorizer({ transport, idleMs }),
      origins: new Map(),
      retry: { attempts: o.limits?.attempts ?? ATTEMPTS, firstDelayMs: o.limits?.firstDelayMs ?? FIRST_DELAY_MS },
      idleMs,
    };
  }

  async pull(text: string, o: PullOptions): Promise<PulledImage> {
    const reference = parseReference(text);
    const source = await this.#source(reference, o);
    const resolved = await this.#resolve(source, o);
    const { os } = resolved.config.value;
    if (os !== 'linux') throw foreignSystem(familiarString(reference), os);
    o.onProgress?.({ kind: 'started', reference: familiarString(reference), text: `Pulling from ${reference.path}` });
    const diffIds = resolved.config.value.rootfs.diff_ids;
    this.#want(diffIds, 1);
    try {
      await fetchLayers(resolved.layers, { ...this.#layersFetch(source, o), diffIds });
      return await this.#register(reference, resolved);
    } finally {
      this.#want(diffIds, -1);
    }
  }

  async push(text: string, o: TransferOptions): Promise<PushedImage> {
    const reference = parseReference(text);
    if (reference.digest !== undefined) throw pushByDigest(text);
    const image = this.#o.images.get(familiarString(reference));
    const target = await this.#target(reference, { ...o, diffIds: image.config.rootfs.diff_ids });
    return await pushImage(image, { ...target, log: this.#o.log });
  }

  async resolve(text: string, o: PullOptions): Promise<ResolvedImage> {
    return await this.#resolve(await this.#source(parseReference(text), o), o);
  }

  async tags(text: string, o: TransferOptions): Promise<readonly string[]> {
    const reference = parseReference(text);
    return await listTags((await this.#source(reference, o)).repositories.at(-1)!, familiarName(reference));
  }

  async search(registry: string, o: SearchOptions & TransferOptions): Promise<readonly FoundRepository[]> {
    const credential = o.credential ?? (await this.#o.findCredential(registry));
    const signal = o.signal === undefined ? {} : { signal: o.signal };
    const domain = registry === 'docker.io' ? HUB_SEARCH : registry;
    return await searchIn(this.#repository({ domain, path: '' }, { actions: 'pull', credential, ...signal }), o);
  }

  async login(
    registry: string,
    o: { credential: Credential; signal?: AbortSignal },
  ): Promise<{ identityToken?: string }> {
    const repository = this.#repository({ domain: registry, path: '' }, { ...o, actions: 'pull' });
    const claim = await repository.claim();
    const token = await this.#connection.authorizer.login(claim);
    if (token !== undefined) {
      const { identityToken } = token;
      return identityToken === undefined ? {} : { identityToken };
    }
    const answer = await repository.call({ method: 'GET', at: '', expect: [200, 404], what: registry });
    await discard(answer.body);
    if (answer.status === 404)
      throw denied(registry, { what: 'its API: there is none', said: '', hasCredential: true });
    return {};
  }

  async fetchManifest(text: string, o: TransferOptions): Promise<FetchedManifest> {
    const reference = parseReference(text);
    return await fetchManifest(await this.#source(reference, o), reference.digest ?? reference.tag ?? 'latest');
  }

  async fetchBlob(
    text: string,
    o: TransferOptions & { digest: Digest; sizeBytes: number; maxBytes?: number },
  ): Promise<Buffer> {
    const source = await this.#source(parseReference(text), o);
    const maxBytes = o.maxBytes ?? MAX_BLOB_BYTES;
    if (o.sizeBytes > maxBytes) throw refused(source, `the blob ${o.digest} has more than ${maxBytes} bytes`);
    return await fetchBlob(source, { digest: o.digest, size: o.sizeBytes });
  }

  async fetchLayers(
    text: string,
    o: TransferOptions & { layers: readonly Descriptor[]; diffIds: readonly Digest[] },
  ): Promise<void> {
    const source = await this.#source(parseReference(text), o);
    if (o.layers.length !== o.diffIds.length) throw refused(source, 'it has another number of layers than of diffIDs');
    this.#want(o.diffIds, 1);
    try {
      await fetchLayers(o.layers, { ...this.#layersFetch(source, o), diffIds: o.diffIds });
    } finally {
      this.#want(o.diffIds, -1);
    }
  }

  async pushLayers(text: string, o: TransferOptions & { diffIds: readonly Digest[] }): Promise<readonly Descriptor[]> {
    return await pushLayers(o.diffIds, await this.#target(parseReference(text), o));
  }

  async pushBlob(text: string, o: TransferOptions & { blob: BlobSource }): Promise<void> {
    const { repository, retry, signal } = await this.#target(parseReference(text), { ...o, diffIds: [] });
    await uploadBlob({ repository, retry, blob: o.blob, ...(signal && { signal }) });
  }

  async pushManifest(text: string, o: TransferOptions & { mediaType: string; bytes: Buffer }): Promise<Digest> {
    const reference = parseReference(text);
    const target = await this.#target(reference, { ...o, diffIds: [] });
    const name = reference.digest ?? reference.tag ?? 'latest';
    if (reference.digest !== undefined && reference.digest !== digestOf(o.bytes))
      throw invalidAnswer(reference.domain, `the manifest is not ${reference.digest}`);
    return await putManifest(target, { target: name, mediaType: o.mediaType, bytes: o.bytes });
  }

  async close(): Promise<void> {
    this.#connection.transport.close();
    await rm(this.#o.directory, { recursive: true, force: true });
  }

  async #resolve(source: Source, o: PullOptions): Promise<ResolvedImage> {
    const wanted = o.platform ?? platformOfNode(process.arch);
    const found = await findImage(source, wanted);
    const { bytes, value: config } = await fetchConfig(source, found.config);
    const value = checkedConfig(config, { source, layers: found.layers.length });
    const offered = {
      os: value.os,
      architecture: value.architecture,
      ...(value.variant && { variant: value.variant }),
    };
    if (o.platform !== undefined && !runsOn(wanted, offered))
      throw platformUnknown(familiarString(source.reference), { wanted, offered: [platformText(offered)] });
    return {
      digest: found.root.digest,
      mediaType: found.root.mediaType,
      sizeBytes: found.root.bytes.length,
      platforms: found.platforms.length > 0 ? found.platforms : [offered],
      manifest: found.manifest,
      config: { descriptor: found.config, bytes, value },
      layers: found.layers,
    };
  }

  async #register(reference: Reference, { digest, config }: ResolvedImage): Promise<PulledImage> {
    const { images } = this.#o;
    const name = familiarString({ ...reference, digest: undefined });
    const isTag = reference.digest === undefined;
    const repoDigest = `${familiarName(reference)}@${digest}`;
    const before = images.find(isTag ? name : repoDigest);
    const image = await images.registerConfig(config.bytes, {
      references: isTag ? [name] : [],
      repoDigests: [repoDigest],
    });
    return { image, digest, isNew: before?.id !== image.id };
  }

  #want(diffIds: readonly Digest[], change: 1 | -1): void {
    for (const diffId of diffIds) {
      const count = (this.#wanted.get(diffId) ?? 0) + change;
      if (count === 0) this.#wanted.delete(diffId);
      else this.#wanted.set(diffId, count);
    }
  }

  #layersFetch(source: Source, o: TransferOptions): LayersFetch {
    return {
      ...source,
      images: this.#o.images,
      limiter: this.#downloads,
      maxLayerBytes: this.#o.limits?.layerBytes,
      directory: this.#o.directory,
      onProgress: (event) => o.onProgress?.(event),
      isShared: (diffId) => (this.#wanted.get(diffId) ?? 0) > 1,
    };
  }

  async #source(reference: Reference, o: TransferOptions): Promise<Source> {
    const credential = o.credential ?? (await this.#o.findCredential(reference.domain));
    const options = { actions: 'pull', ...(o.signal && { signal: o.signal }) } as const;
    const mirrors = mirrorsOf(reference.domain, this.#o.settings).map(async (endpoint) => {
      const known = await this.#o.findCredential(endpoint.registry);
      return new Repository({
        connection: this.#connection,
        endpoint,
        path: reference.path,
        credential: known,
        ...options,
      });
    });
    const repositories = [...(await Promise.all(mirrors)), this.#repository(reference, { ...options, credential })];
    return { reference, repositories, retry: this.#connection.retry, ...(o.signal && { signal: o.signal }) };
  }

  async #target(reference: Reference, o: TransferOptions & { diffIds: readonly Digest[] }): Promise<PushTarget> {
    const { images, directory } = this.#o;
    const credential = o.credential ?? (await this.#o.findCredential(reference.domain));
    const mountFrom = mountSources(o.diffIds, { images, reference });
    const signal = o.signal === undefined ? {} : { signal: o.signal };
    return {
      ...{ images, directory, reference, retry: this.#connection.retry, limiter: this.#uploads },
      repository: this.#repository(reference, { actions: 'pull,push', credential, mountFrom, ...signal }),
      onProgress: (event) => o.onProgress?.(event),
      ...signal,
    };
  }

  #repository(
    { domain, path }: Pick<Reference, 'domain' | 'path'>,
    o: {
      actions: 'pull' | 'pull,push';
      credential: Credential | undefined;
      mountFrom?: readonly string[];
      signal?: AbortSignal;
    },
  ): Repository {
    return new Repository({ connection: this.#connection, endpoint: endpointOf(domain, this.#o.settings), path, ...o });
  }
}

function pushByDigest(text: string): UserError {
  return new UserError({
    code: 'push-by-digest',
    kind: 'invalid',
    message: `cannot push a digest reference: ${text}`,
    fix: 'Name a tag: the digest follows from the content.',
  });
}
