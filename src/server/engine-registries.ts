import type { IncomingMessage } from 'node:http';
import { createInterface } from 'node:readline';
import type Docker from 'dockerode';
import type { RegistryLogin } from '../lib/docker-config/index.ts';
import { parseReference } from '../lib/oci/index.ts';
import { call, engineError } from './engine-errors.ts';

/** Registries by way of any engine, over the Docker Engine API. */
export interface EngineRegistries {
  pullImage(
    reference: string,
    o: TransferRequest & { readonly platform?: string | undefined },
  ): Promise<TransferResult>;
  pushImage(reference: string, o: TransferRequest): Promise<TransferResult>;
  /** Whether the registry knows somebody. @returns a token to keep instead of the password, where it gives one */
  loginTo(login: RegistryLogin): Promise<{ readonly identityToken?: string }>;
}

export interface TransferRequest {
  /** Who asks; the engine's own logins when absent. */
  readonly login?: RegistryLogin | undefined;
  onEvent(event: TransferEvent): void;
  readonly signal: AbortSignal;
}

/** What happens to one layer, or to the whole where there is no `layer`. */
export interface TransferEvent {
  readonly status: string;
  /** First digits of its digest. */
  readonly layer?: string;
  readonly bytes?: number;
  readonly totalBytes?: number;
}

export interface TransferResult {
  readonly reference: string;
  /** Of what the registry has under the reference. */
  readonly digest: string | undefined;
  /** Of the image here. */
  readonly id: string;
}

export function engineRegistries(docker: Docker): EngineRegistries {
  const idOf = async (reference: string): Promise<string> =>
    (await call(() => docker.getImage(reference).inspect())).Id;
  return {
    async pullImage(reference, { platform, ...o }) {
      const query = { fromImage: withTag(reference), ...(platform === undefined ? {} : { platform }) };
      const digest = await follow(await call(() => dial(docker, { path: '/images/create', query, ...o })), o);
      return { reference, digest, id: await idOf(reference) };
    },
    async pushImage(reference, o) {
      const { tag = 'latest' } = parseReference(reference);
      const path = `/images/${withTag(reference).slice(0, -tag.length - 1)}/push`;
      const digest = await follow(await call(() => dial(docker, { path, query: { tag }, ...o })), o);
      return { reference, digest, id: await idOf(reference) };
    },
    async loginTo(login) {
      const answer = (await call(() => docker.checkAuth(login))) as { IdentityToken?: string };
      return answer.IdentityToken ? { identityToken: answer.IdentityToken } : {};
    },
  };
}

/** Every status is an answer: dockerode's own functions lose what a refusal says. */
const STATUSES = Object.fromEntries([200, 400, 401, 403, 404, 409, 500, 501, 503].map((status) => [status, true]));

function dial(
  docker: Docker,
  o: TransferRequest & { readonly path: string; readonly query: Readonly<Record<string, string>> },
): Promise<IncomingMessage> {
  const request = {
    ...{ path: `${o.path}?`, method: 'POST', options: o.query, isStream: true, statusCodes: STATUSES },
    abortSignal: o.signal,
    headers: { 'x-bascule-client': '1' },
    ...(o.login === undefined ? {} : { authconfig: o.login }),
  };
  const modem = docker.modem as unknown as {
    dial(options: object, callback: (error: unknown, stream: IncomingMessage) => void): void;
  };
  return new Promise((resolve, reject) => {
    modem.dial(request, (error, stream) => (error ? reject(error) : resolve(stream)));
  });
}

/** Engines take a name without a tag for all tags. @throws UserError `invalid-reference` */
function withTag(reference: string): string {
  const { digest } = parseReference(reference);
  const isTagged = reference.slice(reference.lastIndexOf('/') + 1).includes(':');
  return digest !== undefined || isTagged ? reference : `${reference}:latest`;
}

interface Line {
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly error?: string;
  /** Of an answer that is no stream: the engine refused. */
  readonly message?: string;
  readonly fix?: string;
  readonly basculeError?: { readonly fix?: string };
  readonly aux?: { readonly Digest?: string };
}

const LAYER = /^[0-9a-f]{12}$/;
const DIGEST = /^Digest: (sha256:[0-9a-f]{64})$/;

/** @returns the digest that was told */
async function follow(stream: IncomingMessage, { onEvent, signal }: TransferRequest): Promise<string | undefined> {
  signal.addEventListener('abort', () => stream.destroy(signal.reason as Error), { once: true });
  let digest: string | undefined;
  for await (const text of createInterface({ input: stream, crlfDelay: Infinity })) {
    if (text === '') continue;
    const line = JSON.parse(text) as Line;
    if (line.message !== undefined) throw engineError(stream.statusCode ?? 500, line.message, line.fix);
    if (line.error !== undefined) throw engineError(422, line.error, line.basculeError?.fix);
    digest = line.aux?.Digest ?? DIGEST.exec(line.status ?? '')?.[1] ?? digest;
    if (line.status !== undefined) onEvent(eventOf(line, line.status));
  }
  signal.throwIfAborted();
  return digest;
}

function eventOf({ id, progressDetail }: Line, status: string): TransferEvent {
  const { current, total } = progressDetail ?? {};
  return {
    status,
    ...(id !== undefined && LAYER.test(id) ? { layer: id } : {}),
    ...(current === undefined || total === undefined ? {} : { bytes: current, totalBytes: total }),
  };
}
