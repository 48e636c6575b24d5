import { digestOf } from '../../../lib/oci/index.ts';
import { parseChallenges, type Challenge } from './challenge.ts';
import { denied, invalidAnswer, refusedBy } from './errors.ts';
import type { Credential } from './face.ts';
import { readBounded } from './answers.ts';
import type { HttpRequest, Transport } from './transport.ts';

/** Somebody who asks, and for what. */
export interface Claim {
  readonly registry: string;
  /** Address of the registry, e.g. `https://r.io`. */
  readonly origin: string;
  /** E.g. `repository:library/debian:pull`. */
  readonly scopes: readonly string[];
  readonly credential: Credential | undefined;
  readonly verifiesCertificate: boolean;
  readonly signal?: AbortSignal;
}

export interface Token {
  readonly text: string;
  readonly expiresAt: number;
  /** To keep instead of a password. */
  readonly identityToken?: string;
}

const MAX_TOKEN_BYTES = 1024 * 1024;
/** What a server means that does not say how long its token lasts (Token Authentication Specification). */
const SHORTEST_LIFE_SECONDS = 60;
/** A token that ends so soon is not used any more. */
const SLACK_MS = 10_000;
const CLIENT = 'bascule';

/** Tokens for registries (Docker Registry v2 authentication: token and OAuth2), each asked for once. */
export class Authorizer {
  readonly #transport: Transport;
  readonly #idleMs: number;
  readonly #challenges = new Map<string, readonly Challenge[]>();
  readonly #tokens = new Map<string, Promise<Token>>();

  constructor(o: { transport: Transport; idleMs: number }) {
    this.#transport = o.transport;
    this.#idleMs = o.idleMs;
  }

  /** What a registry said that it wants. */
  learn(origin: string, header: string | undefined): void {
    const challenges = parseChallenges(header);
    if (challenges.length > 0) this.#challenges.set(origin, challenges);
  }

  /** The header to send, as far as it is known what the registry wants. */
  async header(claim: Claim): Promise<string | undefined> {
    const { credential } = claim;
    if (credential?.kind === 'registry-token') return `Bearer ${credential.token}`;
    const challenges = this.#challenges.get(claim.origin) ?? [];
    const bearer = challenges.find(({ scheme }) => scheme === 'bearer');
    if (bearer !== undefined) return `Bearer ${(await this.#token(claim, bearer)).text}`;
    const basic = challenges.some(({ scheme }) => scheme === 'basic');
    return basic && credential?.kind === 'password' ? basicHeader(credential) : undefined;
  }

  /** The registry did not take it. */
  forget(claim: Claim): void {
    this.#tokens.delete(keyOf(claim));
  }

  /** A token that says who somebody is; undefined where the registry works without tokens. */
  async login(claim: Claim): Promise<Token | undefined> {
    const bearer = (this.#challenges.get(claim.origin) ?? []).find(({ scheme }) => scheme === 'bearer');
    return bearer === undefined ? undefined : await this.#request(claim, bearer, { isLogin: true });
  }

  async #token(claim: Claim, challenge: Challenge): Promise<Token> {
    const key = keyOf(claim);
    const known = await this.#tokens.get(key)?.catch(() => undefined);
    if (known !== undefined && known.expiresAt - SLACK_MS > Date.now()) return known;
    const { signal: _, ...forAll } = claim; // others wait for the same token
    const asked = this.#request(forAll, challenge, { isLogin: false });
    this.#tokens.set(key, asked);
    asked.catch(() => this.#tokens.delete(key));
    return await asked;
  }

  async #request(claim: Claim, challenge: Challenge, o: { isLogin: boolean }): Promise<Token> {
    const realm = realmOf(claim, challenge);
    const answer = await this.#transport.send({
      ...tokenRequest(realm, { claim, challenge, ...o }),
      idleMs: this.#idleMs,
      verifiesCertificate: claim.verifiesCertificate || realm.origin !== claim.origin,
      ...(claim.signal === undefined ? {} : { signal: claim.signal }),
    });
    const text = (await readBounded(answer.body, MAX_TOKEN_BYTES)).toString();
    if (answer.status === 401 || answer.status === 403) throw refusedToken(claim);
    if (answer.status !== 200)
      throw refusedBy(claim.registry, {
        status: answer.status,
        what: `the request for a token at ${realm.host}`,
        said: '',
      });
    return readToken(claim, text);
  }
}

function refusedToken({ registry, scopes, credential }: Claim): Error {
  const what = scopes.length === 0 ? 'it' : scopes.map((scope) => scope.split(':')[1]).join(', ');
  return denied(registry, { what, said: ': unauthorized', hasCredential: credential !== undefined });
}

/** Credentials go nowhere in the clear when the registry itself is spoken to with TLS. */
function realmOf({ registry, origin }: Claim, { parameters }: Challenge): URL {
  const realm = URL.parse(parameters['realm'] ?? '');
  if (realm === null || !['https:', 'http:'].includes(realm.protocol))
    throw invalidAnswer(registry, 'it asks for a token and does not say where it is to be had');
  if (realm.protocol === 'http:' && origin.startsWith('https:'))
    throw invalidAnswer(registry, `it wants credentials to be sent in the clear to ${realm.host}`);
  return realm;
}

type TokenRequest = Pick<HttpRequest, 'method' | 'url' | 'headers' | 'body'>;

function tokenRequest(realm: URL, o: { claim: Claim; challenge: Challenge; isLogin: boolean }): TokenRequest {
  const { scopes, credential } = o.claim;
  const service = o.challenge.parameters['service'];
  if (credential?.kind === 'identity-token') {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: credential.token,
      client_id: CLIENT,
    });
    form.set('scope', scopes.join(' '));
    if (service !== undefined) form.set('service', service);
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    return { method: 'POST', url: realm, headers, body: Buffer.from(form.toString()) };
  }
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set('service', service);
  for (const scope of scopes) url.searchParams.append('scope', scope);
  url.searchParams.set('client_id', CLIENT);
  if (o.isLogin) url.searchParams.set('offline_token', 'true');
  if (credential?.kind !== 'password') return { method: 'GET', url };
  url.searchParams.set('account', credential.username);
  return { method: 'GET', url, headers: { authorization: basicHeader(credential) } };
}

function readToken({ registry }: Claim, text: string): Token {
  let answer: Record<string, unknown>;
  try {
    answer = (JSON.parse(text) ?? {}) as Record<string, unknown>;
  } catch {
    throw invalidAnswer(registry, 'its token is not JSON');
  }
  const token = answer['token'] || answer['access_token'];
  if (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token)) throw invalidAnswer(registry, 'its token is none');
  const seconds = typeof answer['expires_in'] === 'number' ? answer['expires_in'] : 0;
  const refresh = answer['refresh_token'];
  return {
    text: token,
    expiresAt: Date.now() + Math.max(seconds, SHORTEST_LIFE_SECONDS) * 1_000,
    ...(typeof refresh === 'string' && refresh !== '' ? { identityToken: refresh } : {}),
  };
}

function basicHeader({ username, password }: { username: string; password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function keyOf({ origin, scopes, credential }: Claim): string {
  return digestOf(JSON.stringify([origin, scopes, credential ?? null]));
}
