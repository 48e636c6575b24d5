import type { IncomingMessage } from 'node:http';
import { refusal } from '../errors.ts';
import { openPasswordFile, type PasswordFile } from './password-file.ts';
import { ANONYMOUS, principalOf, type Action, type Principal, type RightsRule } from './rights.ts';
import { grant, parseScopes, principalOfAccess } from './scopes.ts';
import { openForeignVerifier, openTokenIssuer, type TokenIssuer, type TokenVerifier } from './tokens.ts';

/** How clients say who they are. */
export type Authentication =
  /** No passwords: everybody may do what `anonymous` says. */
  | { readonly kind: 'none' }
  /** With each request. */
  | { readonly kind: 'basic'; readonly usersFile: string }
  /** Once, at `/token` of the registry itself, for a token that says what may be done. */
  | { readonly kind: 'token'; readonly usersFile: string; readonly keyFile: string; readonly service: string }
  /** At somebody else's. */
  | {
      readonly kind: 'foreign-token';
      readonly realm: string;
      readonly issuer: string;
      readonly service: string;
      readonly keyFile: string;
    };

export interface AccessOptions {
  readonly authentication: Authentication;
  readonly rules: readonly RightsRule[];
  /** What may be done without a password, everywhere. */
  readonly anonymous: readonly Action[];
}

/** What a request wants to do. */
export interface Wanted {
  readonly action: Action;
  readonly repository: string;
}

/** Who may do what. */
export interface AccessControl {
  /**
   * Who asks, as far as the request says it.
   * @throws RegistryError `UNAUTHORIZED` for a wrong password or token, `TOOMANYREQUESTS` after many wrong passwords
   */
  identify(request: IncomingMessage): Promise<Principal>;
  /** What to answer somebody who may not: 401 with what to show to whom is nobody yet, else 403. */
  refuse(request: IncomingMessage, principal: Principal, wanted: readonly Wanted[]): Error;
  /** Whether `/v2/` asks for a password. */
  needsLogin(principal: Principal): boolean;
  /** `GET /token`; undefined where tokens are not ours. */
  issue?(request: IncomingMessage, query: URLSearchParams): Promise<object>;
}

export async function openAccess(o: AccessOptions): Promise<AccessControl> {
  const parts = await openParts(o.authentication);
  const anonymous = principalOf(undefined, o);
  const challenge = (request: IncomingMessage, wanted: readonly Wanted[]): string =>
    challengeOf(o.authentication, request, wanted);
  const unauthorized = (request: IncomingMessage, wanted: readonly Wanted[]): Error =>
    refusal('UNAUTHORIZED', {
      headers: { 'www-authenticate': challenge(request, wanted) },
      detail: wanted.map(({ action, repository }) => ({ type: 'repository', name: repository, action })),
    });
  const byPassword = async (request: IncomingMessage): Promise<Principal> => {
    const given = basicOf(request);
    if (given === undefined || parts.passwords === undefined) return anonymous;
    const from = request.socket.remoteAddress;
    if (await parts.passwords.isRight({ ...given, from })) return principalOf(given.user, o);
    throw unauthorized(request, []);
  };
  return {
    async identify(request) {
      const token = bearerOf(request);
      if (token === undefined || parts.verifier === undefined) return await byPassword(request);
      const holder = await parts.verifier.verify(token);
      if (holder === undefined) throw unauthorized(request, []);
      return principalOfAccess(holder.user ?? ANONYMOUS, holder.access);
    },
    refuse(request, { user }, wanted) {
      const isNobody = user === undefined && o.authentication.kind !== 'none';
      // a token that was got for something else says nothing of what its holder may do
      const mayAskAgain = o.authentication.kind.includes('token') && bearerOf(request) !== undefined;
      if (isNobody || mayAskAgain) return unauthorized(request, wanted);
      return refusal('DENIED', { detail: wanted });
    },
    needsLogin: ({ user }) =>
      user === undefined &&
      o.authentication.kind !== 'none' &&
      (parts.verifier !== undefined || o.anonymous.length === 0),
    ...(parts.issuer === undefined
      ? {}
      : { issue: (request, query) => issue(parts.issuer!, { request, query, byPassword }) }),
  };
}

interface Parts {
  readonly passwords?: PasswordFile;
  readonly verifier?: TokenVerifier;
  readonly issuer?: TokenIssuer;
}

async function openParts(authentication: Authentication): Promise<Parts> {
  switch (authentication.kind) {
    case 'none':
      return {};
    case 'basic':
      return { passwords: openPasswordFile(authentication.usersFile) };
    case 'token': {
      const issuer = await openTokenIssuer(authentication);
      return { passwords: openPasswordFile(authentication.usersFile), issuer, verifier: issuer };
    }
    case 'foreign-token':
      return { verifier: await openForeignVerifier(authentication) };
  }
}

/** Docker's token protocol: who one is, and what of the scopes asked for one may. */
async function issue(
  issuer: TokenIssuer,
  o: {
    request: IncomingMessage;
    query: URLSearchParams;
    byPassword(request: IncomingMessage): Promise<Principal>;
  },
): Promise<object> {
  const principal = await o.byPassword(o.request);
  const access = grant(parseScopes(o.query.getAll('scope')), principal);
  const { token, expiresInSeconds, issuedAt } = await issuer.issue({ user: principal.user, access });
  return { token, access_token: token, expires_in: expiresInSeconds, issued_at: issuedAt.toISOString() };
}

function challengeOf(authentication: Authentication, request: IncomingMessage, wanted: readonly Wanted[]): string {
  if (authentication.kind === 'none' || authentication.kind === 'basic') return 'Basic realm="registry"';
  const realm = authentication.kind === 'token' ? `${originOf(request)}/token` : authentication.realm;
  const scope = wanted.length === 0 ? '' : `,scope="${scopesOf(wanted)}"`;
  const error = bearerOf(request) !== undefined && wanted.length > 0 ? ',error="insufficient_scope"' : '';
  return `Bearer realm="${realm}",service="${authentication.service}"${scope}${error}`;
}

/** As the client sees us. */
function originOf(request: IncomingMessage): string {
  // Whoever says so about their own request loses nothing: passwords are only ever asked for with more protection.
  const isBehindTls = request.headers['x-forwarded-proto'] === 'https';
  const scheme = 'encrypted' in request.socket || isBehindTls ? 'https' : 'http';
  const host = request.headers.host ?? `${request.socket.localAddress}:${request.socket.localPort}`;
  return `${scheme}://${host.replaceAll(/[^A-Za-z0-9.:[\]-]/g, '')}`;
}

function scopesOf(wanted: readonly Wanted[]): string {
  const byRepository = Map.groupBy(wanted, ({ repository }) => repository);
  return [...byRepository]
    .map(([name, rows]) => `repository:${name}:${[...new Set(rows.flatMap(actionsOf))].join(',')}`)
    .join(' ');
}

/** Who pushes looks, too. */
function actionsOf({ action }: Wanted): readonly Action[] {
  return action === 'push' ? ['pull', 'push'] : [action];
}

function basicOf(request: IncomingMessage): { readonly user: string; readonly password: string } | undefined {
  const match = /^basic +([A-Za-z0-9+/=_-]+)$/i.exec(request.headers.authorization ?? '');
  if (match === null) return undefined;
  const text = Buffer.from(match[1] ?? '', 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? undefined : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function bearerOf(request: IncomingMessage): string | undefined {
  return /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
}
