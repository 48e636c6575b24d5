import { discard, saidIn } from './answers.ts';
import type { Authorizer, Claim } from './authorization.ts';
import type { Endpoint } from './endpoints.ts';
import { denied, invalidAnswer, refusedBy } from './errors.ts';
import type { Credential } from './face.ts';
import { explained, isPassing, isPassingStatus, isReset, isSilence, speaksNoTls } from './failures.ts';
import { retryAfterOf, waitToRetry, type RetryLimits } from './retry.ts';
import type { HttpAnswer, HttpRequest, Transport } from './transport.ts';

/** What the requests of one client share. */
export interface Connection {
  readonly transport: Transport;
  readonly authorizer: Authorizer;
  /** Addresses of registries as they were found, by host. */
  readonly origins: Map<string, Promise<string>>;
  readonly retry: RetryLimits;
  readonly idleMs: number;
}

export interface RepositoryOptions {
  readonly connection: Connection;
  readonly endpoint: Endpoint;
  /** E.g. `library/debian`; '' for the registry as such. */
  readonly path: string;
  readonly actions: 'pull' | 'pull,push';
  /** Repositories whose blobs may be mounted. */
  readonly mountFrom?: readonly string[];
  readonly credential: Credential | undefined;
  readonly signal?: AbortSignal;
}

export interface Call extends Pick<HttpRequest, 'method' | 'headers' | 'body' | 'onSent'> {
  /** After `/v2/<repository>/`; or a whole address that the registry gave. */
  readonly at: string | URL;
  /** Statuses that are an answer; all others are thrown. */
  readonly expect: readonly number[];
  /** For people, e.g. `the manifest of debian:12`. */
  readonly what: string;
  /** The caller tries again by itself. */
  readonly once?: boolean;
  readonly idleMs?: number;
  readonly signal?: AbortSignal;
}

const MAX_REDIRECTS = 5;
/** Each of them lasts long. */
const SILENT_ATTEMPTS = 2;
/** Who is not there should be told of soon. */
const FIRST_ANSWER_MS = 20_000;

/** One repository of one registry, with authentication, redirections and repeated attempts. */
export class Repository {
  readonly path: string;
  readonly registry: string;
  readonly #o: RepositoryOptions;

  constructor(o: RepositoryOptions) {
    this.#o = o;
    this.path = o.path;
    this.registry = o.endpoint.registry;
  }

  get isMirror(): boolean {
    return this.#o.endpoint.isMirror;
  }

  /** @throws UserError `registry-unreachable`, `registry-denied`, `registry-refused` */
  async call(call: Call): Promise<HttpAnswer> {
    const signal = call.signal ?? this.#o.signal;
    try {
      return await unlessAborted(this.#attempts(call), signal);
    } catch (error) {
      signal?.throwIfAborted();
      throw explained(this.registry, error);
    }
  }

  /** The address of something in a header of an answer. */
  addressOf(location: string | undefined, base: string): URL {
    const address = location === undefined ? null : URL.parse(location, base);
    if (address === null || !['http:', 'https:'].includes(address.protocol))
      throw invalidAnswer(this.registry, 'it gives no address to go on with');
    if (base.startsWith('https:') && address.protocol === 'http:') address.protocol = 'https:'; // behind a proxy
    return address;
  }

  origin(): Promise<string> {
    return this.#origin(this.#o.signal);
  }

  async claim(): Promise<Claim> {
    const { endpoint, path, actions, mountFrom = [], credential, signal } = this.#o;
    const scopes =
      path === '' ? [] : [`repository:${path}:${actions}`, ...mountFrom.map((from) => `repository:${from}:pull`)];
    const { verifiesCertificate } = endpoint;
    const origin = await this.#origin(signal);
    return { registry: this.registry, origin, scopes, credential, verifiesCertificate, ...(signal && { signal }) };
  }

  async #attempts(call: Call): Promise<HttpAnswer> {
    const { retry } = this.#o.connection;
    const signal = call.signal ?? this.#o.signal;
    for (let attempt = 1; ; attempt++) {
      const isLast = call.once === true || attempt >= retry.attempts;
      let toldMs: number | undefined;
      try {
        const answer = await this.#authorized(call);
        if (call.expect.includes(answer.status)) return answer;
        toldMs = retryAfterOf(answer.headers['retry-after'], new Date());
        if (isLast || !isPassingStatus(answer.status)) throw await this.#refusal(call, answer);
        await discard(answer.body);
      } catch (error) {
        signal?.throwIfAborted();
        if (isLast || !isPassing(error) || (attempt >= SILENT_ATTEMPTS && isSilence(error))) throw error;
      }
      await waitToRetry(attempt, { firstDelayMs: retry.firstDelayMs, toldMs, signal });
    }
  }

  async #authorized(call: Call): Promise<HttpAnswer> {
    const { authorizer } = this.#o.connection;
    const claim = await this.claim();
    const { answer: first, isHome } = await this.#redirected(call, await authorizer.header(claim));
    // Elsewhere nobody says where the registry's credentials are to be shown.
    if (first.status !== 401 || !isHome) return first;
    await discard(first.body);
    authorizer.learn(claim.origin, first.headers['www-authenticate']);
    authorizer.forget(claim);
    const header = await authorizer.header(claim);
    if (header === undefined) throw this.#denial(call, '');
    return (await this.#redirected(call, header)).answer;
  }

  /** @returns the last answer, and whether the registry itself gave it */
  async #redirected(
    call: Call,
    authorization: string | undefined,
  ): Promise<{ readonly answer: HttpAnswer; readonly isHome: boolean }> {
    const origin = await this.#origin(call.signal ?? this.#o.signal);
    let url = this.#urlOf(call, origin);
    for (let turn = 0; ; turn++) {
      const isHome = url.origin === origin;
      const answer = await this.#send(call, { url, authorization: isHome ? authorization : undefined });
      const location = answer.headers.location;
      const isRedirect = [301, 302, 303, 307, 308].includes(answer.status) && location !== undefined;
      if (!isRedirect || !['GET', 'HEAD'].includes(call.method)) return { answer, isHome };
      await discard(answer.body);
      if (turn >= MAX_REDIRECTS) throw invalidAnswer(this.registry, 'it redirects in a circle');
      const next = URL.parse(location, url);
      if (next === null || (next.protocol !== 'https:' && next.protocol !== url.protocol))
        throw invalidAnswer(this.registry, 'it redirects from TLS to an address without it');
      url = next;
    }
  }

  #send(call: Call, o: { url: URL; authorization: string | undefined }): Promise<HttpAnswer> {
    const { connection, endpoint } = this.#o;
    const signal = call.signal ?? this.#o.signal;
    return connection.transport.send({
      method: call.method,
      url: o.url,
      headers: {
        ...headers(call.headers),
        ...(o.authorization === undefined ? {} : { authorization: o.authorization }),
      },
      ...(call.body === undefined ? {} : { body: call.body }),
      ...(call.onSent === undefined ? {} : { onSent: call.onSent }),
      idleMs: call.idleMs ?? connection.idleMs,
      verifiesCertificate: endpoint.verifiesCertificate || o.url.host !== endpoint.host,
      ...(signal === undefined ? {} : { signal }),
    });
  }

  #urlOf({ at }: Call, origin: string): URL {
    if (at instanceof URL) return at;
    const { endpoint, path } = this.#o;
    return new URL(`${origin}${endpoint.pathPrefix}/v2/${path === '' ? '' : `${path}/`}${at}`);
  }

  /** Whether it is spoken to with TLS is found once; the first answer says what it wants, too. */
  #origin(signal: AbortSignal | undefined): Promise<string> {
    const { connection, endpoint } = this.#o;
    const key = `${endpoint.host} ${endpoint.schemes.join()}`;
    const known = connection.origins.get(key) ?? this.#findOrigin(signal);
    connection.origins.set(key, known);
    known.catch(() => connection.origins.delete(key));
    return known;
  }

  async #findOrigin(signal: AbortSignal | undefined): Promise<string> {
    const { endpoint } = this.#o;
    const last = endpoint.schemes.at(-1);
    for (const scheme of endpoint.schemes) {
      try {
        return await this.#ping(`${scheme}://${endpoint.host}`);
      } catch (error) {
        signal?.throwIfAborted();
        if (scheme === last || !speaksNoTls(error)) throw isReset(error) ? error : explained(endpoint.registry, error);
      }
    }
    throw new Error('an endpoint without a scheme');
  }

  async #ping(origin: string): Promise<string> {
    const { connection, endpoint } = this.#o;
    const answer = await connection.transport.send({
      method: 'GET',
      url: new URL(`${origin}${endpoint.pathPrefix}/v2/`),
      headers: headers({}),
      idleMs: Math.min(connection.idleMs, FIRST_ANSWER_MS),
      verifiesCertificate: endpoint.verifiesCertificate,
    });
    connection.authorizer.learn(origin, answer.headers['www-authenticate']);
    await discard(answer.body);
    return origin;
  }

  async #refusal(call: Call, answer: HttpAnswer): Promise<Error> {
    const said = await saidIn(answer.body);
    if (answer.status === 401 || answer.status === 403) return this.#denial(call, said);
    return refusedBy(this.registry, { status: answer.status, what: call.what, said });
  }

  #denial(call: Call, said: string): Error {
    return denied(this.registry, { what: call.what, said, hasCredential: this.#o.credential !== undefined });
  }
}

/** What many wait for is not cancelled because one of them goes. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

function headers(more: Readonly<Record<string, string>> | undefined): Record<string, string> {
  return { 'user-agent': 'bascule', accept: '*/*', ...more };
}
