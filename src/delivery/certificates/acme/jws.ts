import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto';

/** Requests to an ACME server are signed with the key of an account (RFC 7515, RFC 8555, 6.2). */
export interface Signature {
  readonly key: KeyObject;
  /** The account; absent: it is only being made, and the key itself is sent. */
  readonly account?: string | undefined;
  readonly nonce: string;
  readonly url: string;
}

/** @param payload undefined asks for something ("POST-as-GET") */
export function signedBody({ key, account, nonce, url }: Signature, payload: object | undefined): string {
  const who = account === undefined ? { jwk: jwkOf(key) } : { kid: account };
  const head = base64url(JSON.stringify({ alg: 'ES256', nonce, url, ...who }));
  const body = payload === undefined ? '' : base64url(JSON.stringify(payload));
  const signature = sign('sha256', Buffer.from(`${head}.${body}`), { key, dsaEncoding: 'ieee-p1363' });
  return JSON.stringify({ protected: head, payload: body, signature: signature.toString('base64url') });
}

/** What is to be answered for a token (RFC 8555, 8.1). */
export function keyAuthorization(token: string, key: KeyObject): string {
  return `${token}.${createHash('sha256')
    .update(JSON.stringify(jwkOf(key)))
    .digest('base64url')}`;
}

/** In the order of RFC 7638, which the thumbprint needs. */
function jwkOf(key: KeyObject): object {
  const { crv, kty, x, y } = createPublicKey(key).export({ format: 'jwk' });
  return { crv, kty, x, y };
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url');
}
