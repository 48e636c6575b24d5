import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  openRegistryServer,
  type RegistryServer,
  type RegistryServerSettings,
} from '../../src/engine/registry/index.ts';
import type { ImageStore } from '../../src/engine/image/index.ts';
import { silentLog } from '../../src/lib/log.ts';

const SETTINGS: RegistryServerSettings = {
  listen: { host: '127.0.0.1', port: 0 },
  tls: undefined,
  storage: { kind: 'file-system' },
  authentication: { kind: 'none' },
  rules: [],
  anonymous: ['pull', 'push', 'delete'],
  readOnly: false,
  blobLimitBytes: 1e9,
  connectionLimit: 2_000,
  idleTimeoutMs: 20_000,
  uploadExpiryMs: 3_600_000,
  graceMs: 3_600_000,
  collectEveryMs: undefined,
  metricsListen: undefined,
};

export interface TestRegistry extends AsyncDisposable {
  readonly server: RegistryServer;
  readonly directory: string;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  /** `127.0.0.1:PORT`, as references have it. */
  readonly host: string;
}

/** A registry in this process on a port of its own; its folder is gone with it unless one is given. */
export async function openTestRegistry(
  o: {
    readonly settings?: Partial<RegistryServerSettings>;
    readonly images?: ImageStore;
    readonly directory?: string;
  } = {},
): Promise<TestRegistry> {
  const directory = o.directory ?? mkdtempSync(join(tmpdir(), 'bascule-registry-'));
  await using undo = new AsyncDisposableStack();
  if (o.directory === undefined) undo.defer(() => rmSync(directory, { recursive: true, force: true }));
  const settings = { ...SETTINGS, ...o.settings };
  const server = await openRegistryServer({ directory, settings, images: o.images, log: silentLog, version: 'test' });
  undo.defer(() => server.close());
  await server.listen();
  const url = server.status().address;
  const end = undo.move();
  return {
    server,
    directory,
    url,
    host: url.replace(/^https?:\/\//, ''),
    [Symbol.asyncDispose]: () => end.disposeAsync(),
  };
}

export function sha256(data: string | Uint8Array): string {
  return `sha256:${createHash('sha256').update(data).digest('hex')}`;
}

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_INDEX = 'application/vnd.oci.image.index.v1+json';

/** Pushes a blob by `POST` and `PUT`; gives its descriptor. */
export async function pushBlob(url: string, repository: string, data: Uint8Array<ArrayBuffer>) {
  const begun = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  const location = new URL(begun.headers.get('location') ?? '', url);
  const digest = sha256(data);
  location.searchParams.set('digest', digest);
  const ended = await fetch(location, { method: 'PUT', body: data });
  if (ended.status !== 201) throw new Error(`PUT of a blob: ${ended.status} ${await ended.text()}`);
  return { mediaType: 'application/octet-stream', digest, size: data.length };
}

/** Pushes an image of one small random layer; gives its manifest. */
export async function pushImage(
  url: string,
  repository: string,
  o: { readonly reference?: string; readonly members?: object } = {},
) {
  const config = await pushBlob(url, repository, Buffer.from('{"architecture":"amd64","os":"linux"}'));
  const layer = await pushBlob(url, repository, randomBytes(1_000));
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: { ...config, mediaType: 'application/vnd.oci.image.config.v1+json' },
    layers: [layer],
    ...o.members,
  });
  const digest = sha256(text);
  const response = await fetch(`${url}/v2/${repository}/manifests/${o.reference ?? digest}`, {
    method: 'PUT',
    headers: { 'content-type': OCI_MANIFEST },
    body: text,
  });
  if (response.status !== 201) throw new Error(`PUT of a manifest: ${response.status} ${await response.text()}`);
  return { digest, text, size: text.length, layer: layer.digest, config: config.digest, headers: response.headers };
}
