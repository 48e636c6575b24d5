import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { digestOf, type Digest } from '../../src/lib/oci/index.ts';
import { configOf } from './image-bench.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const CONFIG = 'application/vnd.oci.image.config.v1+json';

interface Document {
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** What a test may do with a request before it is answered; true: it is answered already. */
type Interfere = (request: IncomingMessage, response: ServerResponse) => boolean;

/** A registry of the test that misbehaves as it is told. For failures only: what works is tested with real ones. */
export class OddRegistry implements AsyncDisposable {
  readonly blobs = new Map<string, Buffer>();
  readonly manifests = new Map<string, Document>();
  readonly requests: string[] = [];
  interfere: Interfere = () => false;
  readonly #server: Server = createServer((request, response) => this.#serve(request, response));

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  blob(bytes: Buffer | string): Digest {
    const digest = digestOf(bytes);
    this.blobs.set(digest, Buffer.from(bytes));
    return digest;
  }

  /** An image of these layers, given as they are transferred; the changes go over the manifest. */
  image(
    tag: string,
    layers: readonly { blob: Buffer; diffId: Digest; mediaType: string }[],
    changes: { config?: object; manifest?: object; layer?: object } = {},
  ): Digest {
    const config = Buffer.from(JSON.stringify({ ...configOf(layers.map(({ diffId }) => diffId)), ...changes.config }));
    return this.manifest(tag, {
      ...{ schemaVersion: 2, mediaType: MANIFEST },
      config: { mediaType: CONFIG, digest: this.blob(config), size: config.length },
      layers: layers.map(({ blob, mediaType }) => {
        return { mediaType, digest: this.blob(blob), size: blob.length, ...changes.layer };
      }),
      ...changes.manifest,
    });
  }

  index(tag: string, manifests: readonly object[]): Digest {
    return this.manifest(tag, { schemaVersion: 2, mediaType: INDEX, manifests });
  }

  manifest(tag: string, value: object | Buffer, mediaType?: string): Digest {
    const bytes = Buffer.isBuffer(value) ? value : Buffer.from(JSON.stringify(value));
    const type = mediaType ?? (value as { mediaType?: string }).mediaType ?? MANIFEST;
    for (const name of [tag, digestOf(bytes)]) this.manifests.set(name, { mediaType: type, bytes });
    return digestOf(bytes);
  }

  sizeOf(tag: string): number {
    return this.manifests.get(tag)!.bytes.length;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(`${request.method} ${request.url} ${request.headers.range ?? ''}`.trim());
    if (this.interfere(request, response)) return;
    const [, kind, name = ''] = /^(?:\/proxy)?\/v2\/.+\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? [];
    const manifest = kind === 'manifests' ? this.manifests.get(name) : undefined;
    const blob = kind === 'blobs' ? this.blobs.get(name) : undefined;
    if (manifest !== undefined) answer(response, manifest.bytes, { 'content-type': manifest.mediaType });
    else if (blob !== undefined) serveBlob(request, response, blob);
    else response.writeHead(request.url === '/v2/' ? 200 : 404).end();
  }
}

export function serveBlob(request: IncomingMessage, response: ServerResponse, blob: Buffer): void {
  const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (start === 0) return answer(response, blob, {});
  response.writeHead(206, { 'content-range': `bytes ${start}-${blob.length - 1}/${blob.length}` });
  response.end(blob.subarray(start));
}

function answer(response: ServerResponse, bytes: Buffer, headers: Record<string, string>): void {
  response.writeHead(200, { 'content-length': bytes.length, ...headers }).end(bytes);
}
