import { createHash, randomUUID } from 'node:crypto';
import {
  createLocalJWKSet,
  errors,
  exportJWK,
  exportPKCS8,
  generateKeyPair,
  importJWK,
  importPKCS8,
  importSPKI,
  importX509,
  jwtVerify,
  SignJWT,
  type CryptoKey,
  type JSONWebKeySet,
  type JWTVerifyGetKey,
} from 'jose';
import { UserError } from '../../../../lib/errors.ts';
import { readTextIfThere, writeFileAtomic } from '../../../../lib/files.ts';
import { accessOfClaims, type Access } from './scopes.ts';

const ALGORITHM = 'ES256';
const FOREIGN_ALGORITHMS = ['ES256', 'ES384', 'RS256', 'RS384', 'RS512', 'PS256', 'EdDSA'];
const LIFETIME_SECONDS = 900;
/** Clocks of two machines differ. */
const LEEWAY_SECONDS = 30;
const REMEMBERED = 1_000;

export interface TokenHolder {
  readonly user: string | undefined;
  readonly access: readonly Access[];
}

export interface TokenVerifier {
  /** Undefined for a token that is none of the issuer's, is for somebody else, or has run out. */
  verify(token: string): Promise<TokenHolder | undefined>;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresInSeconds: number;
  readonly issuedAt: Date;
}

/** Docker's token protocol, both sides in one process. */
export interface TokenIssuer extends TokenVerifier {
  issue(holder: TokenHolder): Promise<IssuedToken>;
}

/** @param keyFile PKCS #8; made where it is not there */
export async function openTokenIssuer(o: { readonly keyFile: string; readonly service: string }): Promise<TokenIssuer> {
  const key = await signingKey(o.keyFile);
  const keyId = await keyIdOf(key);
  const issuer = o.service;
  const verifier = verifierOf(() => Promise.resolve(key.publicKey), {
    issuer,
    service: o.service,
    algorithms: [ALGORITHM],
  });
  return {
    ...verifier,
    async issue({ user, access }) {
      const issuedAt = new Date();
      const seconds = Math.floor(issuedAt.getTime() / 1_000);
      const token = await new SignJWT({ access: access.map((each) => ({ ...each, actions: [...each.actions] })) })
        .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT', kid: keyId })
        .setIssuer(issuer)
        .setAudience(o.service)
        .setSubject(user ?? '')
        .setIssuedAt(seconds)
        .setNotBefore(seconds - LEEWAY_SECONDS)
        .setExpirationTime(seconds + LIFETIME_SECONDS)
        .setJti(randomUUID())
        .sign(key.privateKey);
      return { token, expiresInSeconds: LIFETIME_SECONDS, issuedAt };
    },
  };
}

interface SigningKey {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
}

async function signingKey(path: string): Promise<SigningKey> {
  const known = await readTextIfThere(path);
  if (known === undefined) {
    const pair = await generateKeyPair(ALGORITHM, { extractable: true });
    await writeFileAtomic(path, await exportPKCS8(pair.privateKey), 0o600);
    return pair;
  }
  const privateKey = await importPKCS8(known, ALGORITHM, { extractable: true });
  const { d: _secret, ...open } = await exportJWK(privateKey);
  return { privateKey, publicKey: (await importJWK(open, ALGORITHM)) as CryptoKey };
}

async function keyIdOf({ publicKey }: SigningKey): Promise<string> {
  const { x, y } = await exportJWK(publicKey);
  return createHash('sha256').update(`${x}.${y}`).digest('base64url').slice(0, 16);
}

/**
 * Verifies what somebody else issues.
 * @param keyFile public key or certificate (PEM), or a set of keys (JWKS)
 * @throws UserError `registry-token-key-invalid`
 */
export async function openForeignVerifier(o: {
  readonly keyFile: string;
  readonly issuer: string;
  readonly service: string;
}): Promise<TokenVerifier> {
  const text = await readTextIfThere(o.keyFile);
  const key = text === undefined ? undefined : await foreignKey(text);
  if (key === undefined) throw wrongKey(o.keyFile);
  return verifierOf(key, { issuer: o.issuer, service: o.service, algorithms: FOREIGN_ALGORITHMS });
}

async function foreignKey(text: string): Promise<JWTVerifyGetKey | undefined> {
  const pem = text.trim();
  try {
    if (pem.startsWith('{')) return createLocalJWKSet(JSON.parse(pem) as JSONWebKeySet);
  } catch {
    return undefined;
  }
  const read = pem.includes('BEGIN CERTIFICATE') ? importX509 : importSPKI;
  if (!pem.startsWith('-----BEGIN')) return undefined;
  return async ({ alg = '' }) => await read(pem, alg);
}

function verifierOf(
  key: JWTVerifyGetKey,
  o: { readonly issuer: string; readonly service: string; readonly algorithms: readonly string[] },
): TokenVerifier {
  const known = new Map<string, { readonly holder: TokenHolder; readonly until: number }>();
  return {
    async verify(token) {
      const remembered = known.get(token);
      if (remembered !== undefined && remembered.until > Date.now()) return remembered.holder;
      known.delete(token);
      const payload = await payloadOf(token, key, o);
      if (payload === undefined) return undefined;
      const holder = { user: payload.sub === '' ? undefined : payload.sub, access: accessOfClaims(payload) };
      if (known.size >= REMEMBERED) known.delete(known.keys().next().value ?? '');
      known.set(token, { holder, until: (payload.exp ?? 0) * 1_000 });
      return holder;
    },
  };
}

async function payloadOf(
  token: string,
  key: JWTVerifyGetKey,
  o: { readonly issuer: string; readonly service: string; readonly algorithms: readonly string[] },
) {
  try {
    const { payload } = await jwtVerify(token, key, {
      issuer: o.issuer,
      audience: o.service,
      algorithms: [...o.algorithms],
      clockTolerance: LEEWAY_SECONDS,
      requiredClaims: ['exp'],
    });
    return payload;
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof TypeError || error instanceof DOMException)
      return undefined;
    throw error;
  }
}

function wrongKey(path: string): UserError {
  return new UserError({
    code: 'registry-token-key-invalid',
    kind: 'invalid',
    message: `${path} holds no key that tokens can be verified with`,
    fix: 'A public key or a certificate in PEM, or a set of keys in JSON (JWKS).',
  });
}
