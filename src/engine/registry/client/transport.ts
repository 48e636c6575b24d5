import { readdir, readFile } from 'node:fs/promises';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import { Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { rootCertificates } from 'node:tls';
import { systemCodeOf } from '../../../lib/errors.ts';
import type { RegistrySettings } from './face.ts';

export interface HttpRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers?: Readonly<Record<string, string>>;
  /** `length`: undefined where it is not known before the end. */
  readonly body?: Buffer | { readonly open: () => Readable; readonly length: number | undefined };
  /** Told how much of the body went out. */
  readonly onSent?: (bytes: number) => void;
  /** Of silence on the connection, until the head of the answer is here; then of silence in its body. */
  readonly idleMs: number;
  readonly verifiesCertificate: boolean;
  readonly signal?: AbortSignal;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: IncomingMessage;
}

/** Requests over connections that are kept. An answer's body must be read or destroyed. */
export interface Transport {
  send(request: HttpRequest): Promise<HttpAnswer>;
  close(): void;
}

const MAX_CONNECTIONS = 8;

export function createTransport(settings: RegistrySettings): Transport {
  const proxyEnv = settings.proxyEnvironment;
  const options = { keepAlive: true, maxSockets: MAX_CONNECTIONS, proxyEnv };
  const plain = new HttpAgent(options);
  const secure = new Map<string, Promise<HttpsAgent>>();
  const agentFor = async (request: HttpRequest): Promise<HttpAgent | HttpsAgent> => {
    if (request.url.protocol === 'http:') return plain;
    const key = `${request.url.host} ${request.verifiesCertificate}`;
    const known = secure.get(key) ?? secureAgent(request, { options, folders: settings.certificateFolders });
    secure.set(key, known);
    known.catch(() => secure.delete(key));
    return known;
  };
  return {
    send: async (request) => exchange(request, await agentFor(request)),
    close() {
      plain.destroy();
      for (const agent of secure.values()) void agent.then((it) => it.destroy()).catch(() => {});
    },
  };
}

async function secureAgent(
  { url, verifiesCertificate }: HttpRequest,
  o: { options: object; folders: readonly string[] },
): Promise<HttpsAgent> {
  const files = await certificatesOf(url.host, o.folders);
  const rejectUnauthorized = verifiesCertificate || files.ca.length > 0;
  const ca = files.ca.length === 0 ? {} : { ca: [...rootCertificates, ...files.ca] };
  const own = files.client === undefined ? {} : files.client;
  return new HttpsAgent({ ...o.options, ...ca, ...own, rejectUnauthorized });
}

interface Certificates {
  readonly ca: readonly Buffer[];
  readonly client: { readonly cert: Buffer; readonly key: Buffer } | undefined;
}

/** As Docker's `certs.d/<host>`: any `*.crt` is an authority, `*.cert` with its `*.key` is shown to the registry. */
async function certificatesOf(host: string, folders: readonly string[]): Promise<Certificates> {
  for (const folder of folders) {
    const path = join(folder, host);
    const names = (await readdir(path).catch(noFolder)).toSorted();
    const ca = await Promise.all(
      names.filter((name) => name.endsWith('.crt')).map((name) => readFile(join(path, name))),
    );
    const pair = names.find((name) => name.endsWith('.cert') && names.includes(name.replace(/cert$/, 'key')));
    const client =
      pair === undefined
        ? undefined
        : { cert: await readFile(join(path, pair)), key: await readFile(join(path, pair.replace(/cert$/, 'key'))) };
    if (ca.length > 0 || client !== undefined) return { ca, client };
  }
  return { ca: [], client: undefined };
}

function noFolder(error: unknown): readonly string[] {
  const code = systemCodeOf(error);
  if (code === 'ENOENT' || code === 'ENOTDIR') return [];
  throw error;
}

function exchange(request: HttpRequest, agent: HttpAgent | HttpsAgent): Promise<HttpAnswer> {
  const { method, url, body, signal } = request;
  const send = url.protocol === 'http:' ? httpRequest : httpsRequest;
  const length = body === undefined ? undefined : body.length;
  const { promise, resolve, reject } = Promise.withResolvers<HttpAnswer>();
  const outgoing = send(url, {
    method,
    agent,
    headers: { ...request.headers, ...(length === undefined ? {} : { 'content-length': length }) },
    ...(signal === undefined ? {} : { signal }),
  });
  outgoing.setTimeout(request.idleMs, () => outgoing.destroy(silence(request.idleMs)));
  outgoing.once('error', reject);
  outgoing.once('response', (answer) => {
    answer.setTimeout(request.idleMs, () => answer.destroy(silence(request.idleMs)));
    resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: answer });
  });
  if (body === undefined || Buffer.isBuffer(body)) {
    outgoing.end(body);
    if (body !== undefined) request.onSent?.(body.length);
  } else feed(body.open(), outgoing, request);
  return promise;
}

function feed(source: Readable, outgoing: ReturnType<typeof httpRequest>, request: HttpRequest): void {
  source.once('error', (error) => outgoing.destroy(error));
  outgoing.once('close', () => source.destroy());
  outgoing.once('response', () => source.unpipe(outgoing)); // an early answer is a refusal
  source.on('data', (chunk: Buffer) => request.onSent?.(chunk.length));
  source.pipe(outgoing);
}

function silence(idleMs: number): Error {
  return Object.assign(new Error(`no answer in ${idleMs / 1_000} s`), { code: 'ETIMEDOUT' });
}
