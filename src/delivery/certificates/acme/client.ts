import type { KeyObject } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Authorization, Client, crypto, type Order } from 'acme-client';
import { messageOf, UserError } from '../../../lib/errors.ts';
import { pemOfKey } from '../x509.ts';
import { unreachable, withTransport } from './transport.ts';

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
/** X.520 allows no more in a common name. */
const LONGEST_COMMON_NAME = 64;

/**
 * Gets a certificate of one host by http-01 (RFC 8555, 7 and 8.3): the chain, PEM.
 * @throws UserError `acme-failed` with the words of the server, `acme-unreachable`
 */
export async function orderCertificate(server: AcmeServer, order: AcmeOrder): Promise<string> {
  const limit = AbortSignal.timeout(ORDER_MS);
  const signal = AbortSignal.any([order.signal, limit]);
  const { directory, authority } = server;
  try {
    return await withTransport({ directory, authority, signal }, () => ordered(server, { ...order, signal }));
  } catch (error) {
    order.signal.throwIfAborted();
    if (error instanceof UserError) throw error;
    if (limit.aborted) throw failed(order.host, `the authority did not decide within ${ORDER_MS / 1_000} seconds`);
    throw failed(order.host, messageOf(error));
  }
}

async function ordered(server: AcmeServer, order: AcmeOrder): Promise<string> {
  const client = await signedIn(server);
  const placed = await client.createOrder({ identifiers: [{ type: 'dns', value: order.host }] });
  for (const each of await client.getAuthorizations(placed)) await prove(each, { client, placed, order });
  const done = await finalized(await client.finalizeOrder(placed, await requestOf(order)), { client, order });
  return client.getCertificate(done);
}

/** With the account of the key, which is made when there is none: by giving an address one agrees to the terms. */
async function signedIn({ directory, accountKey, email }: AcmeServer): Promise<Client> {
  const client = new Client({ directoryUrl: directory, accountKey: pemOfKey(accountKey) });
  await client.getTermsOfServiceUrl().catch((cause: unknown) => {
    throw cause instanceof UserError ? cause : unreachable(directory, cause);
  });
  await client.createAccount({ termsOfServiceAgreed: true, contact: [`mailto:${email}`] });
  return client;
}

interface Errand {
  readonly client: Client;
  readonly placed: Order;
  readonly order: AcmeOrder;
}

/** That the host is ours. Not by the library's `auto`, whose waits know no signal. */
async function prove(authorization: Authorization, { client, placed, order }: Errand): Promise<void> {
  if (authorization.status === 'valid') return;
  const challenge = authorization.challenges.find(({ type }) => type === 'http-01');
  if (challenge === undefined) throw failed(order.host, 'the server offers no check by http-01');
  await order.setChallenge(challenge.token, await client.getChallengeKeyAuthorization(challenge));
  try {
    await client.completeChallenge(challenge);
    const checked = await settled(order.signal, async () =>
      (await client.getAuthorizations(placed)).find(({ url }) => url === authorization.url),
    );
    if (checked.status !== 'valid') throw failed(order.host, reasonIn(checked));
  } finally {
    await order.setChallenge(challenge.token, null);
  }
}

async function finalized(begun: Order, { client, order }: Omit<Errand, 'placed'>): Promise<Order> {
  const done = await settled(order.signal, () => client.getOrder(begun));
  if (done.status !== 'valid') throw failed(order.host, detailOf(done.error));
  return done;
}

/** Asks until something has come to its end (RFC 8555, 7.1.6). */
async function settled<T extends Order | Authorization>(
  signal: AbortSignal,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  for (let waitMs = POLL_MS.first; ; waitMs = Math.min(waitMs * 2, POLL_MS.most)) {
    const found = await ask();
    if (found !== undefined && !UNDECIDED.has(found.status)) return found;
    await delay(waitMs, undefined, { signal });
  }
}

const UNDECIDED: ReadonlySet<string> = new Set(['pending', 'ready', 'processing']);

async function requestOf({ host, key }: AcmeOrder): Promise<Buffer> {
  const subject = host.length > LONGEST_COMMON_NAME ? {} : { commonName: host };
  const [, request] = await crypto.createCsr({ ...subject, altNames: [host] }, pemOfKey(key));
  return request;
}

function reasonIn({ challenges }: Authorization): string {
  return detailOf(challenges.find(({ error }) => error !== undefined)?.error);
}

/** Of a problem document (RFC 7807), which the library gives as it came. */
function detailOf(problem: object | undefined): string {
  const { detail, type }: { detail?: unknown; type?: unknown } = problem ?? {};
  return [detail, type].find((each) => typeof each === 'string') ?? 'the server gives no reason';
}

function failed(what: string, reason: string): UserError {
  return new UserError({
    code: 'acme-failed',
    kind: 'failed',
    message: `no certificate for ${what}: ${reason}`,
    fix: 'The name must lead to this machine, and its port 80 must be published and reachable from the internet.',
  });
}
