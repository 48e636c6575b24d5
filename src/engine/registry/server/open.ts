import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { openDatabase } from '../../../lib/database.ts';
import { messageOf, UserError } from '../../../lib/errors.ts';
import { acquireLock } from '../../../lib/lock.ts';
import { isDigest } from '../../../lib/oci/index.ts';
import { createAdministration } from './administration.ts';
import { openAccess } from './auth/access.ts';
import { Blobs } from './blobs.ts';
import { Catalogue } from './catalogue.ts';
import { collect } from './collect.ts';
import { isContentDigest } from './digests.ts';
import type { Parts } from './exchange.ts';
import type { RegistryServer, RegistryServerOptions, RegistryStatus, RepositoryTag, StorageSettings } from './face.ts';
import { removeManifest } from './handlers/manifests.ts';
import { createListener, createMetricsServer } from './listener.ts';
import { Metrics } from './metrics.ts';
import { rebuild } from './rebuild.ts';
import { listenForClients, listenOnLoopback, listenOnSocket, type Listening } from './server.ts';
import { shareImages } from './shared-content.ts';
import type { BlobStorage } from './storage/face.ts';
import { openFileSystemStorage } from './storage/file-system.ts';
import { collectAgainAndAgain } from './timer.ts';
import { Uploads } from './uploads.ts';

const EXPIRY_CHECK_MS = 3_600_000;
const EVERYTHING = 1_000_000;

interface Opened extends RegistryServerOptions {
  readonly parts: Parts;
  readonly storage: BlobStorage;
}

/**
 * Opens a registry over its folder. Layers that its manifests name stay in the engine's store as long as it is open.
 * @throws UserError `locked` where another process has it open; `registry-bucket-unusable`
 */
export async function openRegistryServer(options: RegistryServerOptions): Promise<RegistryServer> {
  const { directory, settings, images, log } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await using undo = new AsyncDisposableStack();
  undo.use(acquireLock(join(directory, 'lock'), `the registry's folder ${directory}`));
  const database = undo.adopt(openDatabase(join(directory, 'registry.db')), (open) => open.close());
  const catalogue = new Catalogue(database, () => Date.now());
  const storage = await openStorage(settings.storage, directory);
  await rebuild(catalogue, { storage, log });
  const uploadDirectory = join(directory, 'uploads');
  const shared = images === undefined ? undefined : shareImages(images, uploadDirectory);
  const blobs = new Blobs({ catalogue, storage, shared });
  const limitBytes = settings.blobLimitBytes;
  const uploads = await Uploads.open({ directory: uploadDirectory, catalogue, blobs, limitBytes });
  let isOpen = true;
  undo.defer(() => void (isOpen = false));
  images?.retainLayers((diffId) => isOpen && isDigest(diffId) && catalogue.needsOfEngine(diffId));
  const expiry = setInterval(() => void expire({ uploads, ...options }), EXPIRY_CHECK_MS).unref();
  undo.defer(() => clearInterval(expiry));
  const parts: Parts = { catalogue, blobs, uploads, records: storage.records, metrics: new Metrics() };
  return createRegistry({ ...options, parts, storage }, undo.move());
}

function createRegistry(opened: Opened, undo: AsyncDisposableStack): RegistryServer {
  const { parts, storage, settings, log } = opened;
  const { catalogue } = parts;
  let clients: Listening | undefined;
  let metrics: Listening | undefined;
  const registry: RegistryServer = {
    async listen() {
      const access = await openAccess(settings);
      const listener = createListener({ parts, access, readOnly: settings.readOnly, log });
      clients = await listenForClients(settings, { listener, log });
      undo.defer(() => clients?.close());
      if (settings.metricsListen !== undefined) {
        metrics = await listenOnLoopback(createMetricsServer(parts), settings.metricsListen);
        undo.defer(() => metrics?.close());
      }
      log.info({ address: clients.address, storage: storage.kind }, 'registry: listening');
    },
    async listenForAdministration(socketPath) {
      const listening = await listenOnSocket(createAdministration(registry, log), socketPath);
      undo.defer(() => listening.close());
    },
    status: () => statusOf(opened, { address: clients?.address ?? '', metrics: metrics?.address }),
    repositories: () => catalogue.repositories({ limit: EVERYTHING, last: undefined }),
    tags: (repository) => tagsOf(catalogue, repository),
    remove: (repository, reference) => remove(parts, repository, reference),
    async collect(o) {
      const found = await collect(
        { ...parts, storage, graceMs: settings.graceMs, uploadExpiryMs: settings.uploadExpiryMs },
        o,
      );
      if (!o.dryRun) parts.metrics.collected({ blobs: found.blobs, bytes: found.freedBytes });
      log.info({ ...found, dryRun: o.dryRun, untagged: o.untagged }, 'registry: collected');
      return found;
    },
    close: () => undo.disposeAsync(),
  };
  const { collectEveryMs: everyMs } = settings;
  const work = (signal: AbortSignal): Promise<unknown> => registry.collect({ dryRun: false, untagged: false, signal });
  if (everyMs !== undefined) undo.use(collectAgainAndAgain({ everyMs, log, work }));
  return registry;
}

async function openStorage(settings: StorageSettings, directory: string): Promise<BlobStorage> {
  if (settings.kind === 'file-system') return await openFileSystemStorage(join(directory, 'blobs'));
  const { openS3Storage } = await import('./storage/s3.ts');
  return await openS3Storage(settings);
}

async function expire({ uploads, settings, log }: RegistryServerOptions & { uploads: Uploads }): Promise<void> {
  try {
    const gone = await uploads.expire(Date.now() - settings.uploadExpiryMs);
    if (gone.length > 0) log.info({ uploads: gone.length }, 'registry: uploads that nobody ended are dropped');
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'registry: uploads cannot be dropped');
  }
}

function statusOf(opened: Opened, o: { address: string; metrics: string | undefined }): RegistryStatus {
  const { settings, storage, images, version, parts } = opened;
  return {
    ...o,
    ...parts.catalogue.figures(),
    storage: settings.storage.kind === 's3' ? `s3 ${settings.storage.bucket}` : storage.kind,
    authentication: settings.authentication.kind,
    anonymous: settings.anonymous,
    readOnly: settings.readOnly,
    sharesEngine: images !== undefined,
    pid: process.pid,
    version,
  };
}

function tagsOf(catalogue: Catalogue, repository: string): readonly RepositoryTag[] {
  if (!catalogue.hasRepository(repository)) throw noRepository(repository);
  return catalogue
    .tags(repository, { limit: EVERYTHING, last: undefined })
    .map(({ tag, digest, updatedAt }) => ({ tag, digest, updatedAt: new Date(updatedAt).toISOString() }));
}

async function remove(parts: Parts, repository: string, text: string): Promise<void> {
  if (!parts.catalogue.hasRepository(repository)) throw noRepository(repository);
  const reference = isContentDigest(text)
    ? ({ kind: 'digest', digest: text } as const)
    : ({ kind: 'tag', tag: text } as const);
  if (!(await removeManifest(parts, { repository, reference }))) throw noManifest(repository, text);
}

function noRepository(name: string): UserError {
  return new UserError({
    code: 'registry-repository-unknown',
    kind: 'not-found',
    message: `the registry has no repository "${name}"`,
    fix: '`bascule registry ls` lists them.',
  });
}

function noManifest(repository: string, reference: string): UserError {
  return new UserError({
    code: 'registry-manifest-unknown',
    kind: 'not-found',
    message: `the registry has no "${reference}" in ${repository}`,
    fix: `\`bascule registry tags ${repository}\` lists the tags.`,
  });
}
