import type { KeyObject } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf, UserError } from '../../../lib/errors.ts';
import { signingRequest } from '../x509.ts';
import { type AcmeResponse, exchange } from './http.ts';
import { keyAuthorization, signedBody } from './jws.ts';

export interface AcmeServer {
  /** Address of its directory. */
  readonly directory: string;
  readonly email: string;
  readonly accountKey: KeyObject;
  /** Certificates of a private authority, PEM. */
  readonly authority?: string | undefined;
}

export interface AcmeOrder {
  readonly host: string;
  /** The key of the certificate to be. */
  readonly key: KeyObject;
  /** What is answered on port 80 of the host; null: no longer. */
  setChallenge(token: string, answer: string | null): Promise<void>;
  readonly signal: AbortSignal;
}

/** How long one order may take. */
const ORDER_MS = 180_000;
const POLL_MS = { first: 250, most: 5_000 };
const NONCE_ATTEMPTS = 8;

/**
 * Gets a certificate of one host by http-01 (RFC 8555, 7 and 8.3): the chain, PEM.
 * @throws UserError `acme-failed` with the words of the server
 */
export async function orderCertificate(server: AcmeServer, order: AcmeOrder): Promise<string> {
  const signal = AbortSignal.any([order.signal, AbortSignal.timeout(ORDER_MS)]);
  const session = await openSession(server, signal);
  const identifiers = [{ type: 'dns', value: order.host }];
  const placed = await session.post(session.directory.newOrder, { identifiers });
  const { authorizations, finalize } = placed.body as unknown as OrderBody;
  for (const url of authorizations) await authorize({ session, server, order, signal }, url);
  const csr = signingRequest(order.host, order.key).toString('base64url');
  await session.post(finalize, { csr });
  const done = (await settled(session, placed.location, signal)) as unknown as OrderBody;
  if (done.status !== 'valid' || done.certificate === undefined) throw failed(order.host, reasonOf(done));
  return (await session.post(done.certificate, undefined)).text;
}

interface OrderBody {
  readonly status: string;
  readonly authorizations: readonly string[];
  readonly finalize: string;
  readonly certificate?: string;
  readonly error?: Problem;
}

interface Authorization {
  readonly status: string;
  readonly challenges: readonly {
    readonly type: string;
    readonly url: string;
    readonly token: string;
    readonly error?: Problem;
  }[];
}

interface Problem {
  readonly type?: string;
  readonly detail?: string;
}

interface Errand {
  readonly session: Session;
  readonly server: AcmeServer;
  readonly order: AcmeOrder;
  readonly signal: AbortSignal;
}

async function authorize({ session, server, order, signal }: Errand, url: string): Promise<void> {
  const asked = (await session.post(url, undefined)).body as unknown as Authorization;
  if (asked.status === 'valid') return;
  const challenge = asked.challenges.find(({ type }) => type === 'http-01');
  if (challenge === undefined) throw failed(order.host, 'the server offers no check by http-01');
  await order.setChallenge(challenge.token, keyAuthorization(challenge.token, server.accountKey));
  try {
    await session.post(challenge.url, {});
    const checked = (await settled(session, url, signal)) as unknown as Authorization;
    if (checked.status === 'valid') return;
    throw failed(order.host, reasonOf(checked.challenges.find(({ error }) => error !== undefined) ?? {}));
  } finally {
    await order.setChallenge(challenge.token, null);
  }
}

/** Asks until something has come to its end (RFC 8555, 7.1.6). */
async function settled(session: Session, url: string, signal: AbortSignal): Promise<Body> {
  for (let waitMs = POLL_MS.first; ; waitMs = Math.min(waitMs * 2, POLL_MS.most)) {
    const { body } = await session.post(url, undefined);
    if (body['status'] === 'valid' || body['status'] === 'invalid') return body;
    await delay(waitMs, undefined, { signal });
  }
}

type Body = Readonly<Record<string, unknown>>;

interface Session {
  readonly directory: { readonly newNonce: string; readonly newAccount: string; readonly newOrder: string };
  post(
    url: string,
    payload: object | undefined,
  ): Promise<{ readonly body: Body; readonly text: string; readonly location: string }>;
}

/** With the account of the key, which is made when there is none: by giving an address one agrees to the terms. */
async function openSession(server: AcmeServer, signal: AbortSignal): Promise<Session> {
  const ask = (method: 'GET' | 'HEAD' | 'POST', url: string, body?: string): Promise<AcmeResponse> =>
    exchange({ method, url, authority: server.authority, signal, ...(body === undefined ? {} : { body }) }).catch(
      (cause: unknown) => {
        throw unreachableServer(server.directory, cause);
      },
    );
  const found = await ask('GET', server.directory);
  if (found.status !== 200) throw unreachableServer(server.directory, new Error(`status ${found.status}`));
  const directory = bodyOf(found.text) as unknown as Session['directory'];
  let nonce: string | undefined;
  let account: string | undefined;

  const post: Session['post'] = async (url, payload) => {
    for (let attempt = 1; ; attempt++) {
      nonce ??= nonceOf(await ask('HEAD', directory.newNonce));
      const signature = { key: server.accountKey, account, nonce: nonce ?? '', url };
      const response = await ask('POST', url, signedBody(signature, payload));
      nonce = nonceOf(response);
      const body = bodyOf(response.text);
      if (response.status < 400) return { body, text: response.text, location: response.headers.location ?? '' };
      if (body['type'] === BAD_NONCE && attempt < NONCE_ATTEMPTS) continue;
      throw failed(new URL(server.directory).host, reasonOf({ error: body }));
    }
  };
  const contact = [`mailto:${server.email}`];
  account = (await post(directory.newAccount, { termsOfServiceAgreed: true, contact })).location;
  return { directory, post };
}

/** RFC 8555, 6.5: try again with the new one. */
const BAD_NONCE = 'urn:ietf:params:acme:error:badNonce';

function nonceOf({ headers }: AcmeResponse): string | undefined {
  const nonce = headers['replay-nonce'];
  return typeof nonce === 'string' ? nonce : undefined;
}

/** A certificate is no JSON, and has no body in this sense. */
function bodyOf(text: string): Body {
  try {
    return JSON.parse(text) as Body;
  } catch {
    return {};
  }
}

function reasonOf({ error }: { readonly error?: Problem }): string {
  return error?.detail ?? error?.type ?? 'the server gives no reason';
}

function failed(what: string, reason: string): UserError {
  return new UserError({
    code: 'acme-failed',
    kind: 'failed',
    message: `no certificate for ${what}: ${reason}`,
    fix: 'The name must lead to this machine, and its port 80 must be published and reachable from the internet.',
  });
}

function unreachableServer(directory: string, cause: unknown): UserError {
  return new UserError({
    code: 'acme-unreachable',
    kind: 'unavailable',
    message: `the ACME server ${directory} does not answer: ${messageOf(cause)}`,
    fix: 'Look at acme.directory and acme.root_certificate of the configuration, and at the network. It is tried again by itself.',
    cause,
  });
}
