import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  bits,
  boolean,
  context,
  contextPrimitive,
  type Der,
  integer,
  objectId,
  octets,
  sequence,
  setOf,
  time,
  utf8,
} from './der.ts';

const ECDSA_WITH_SHA256 = sequence(objectId('1.2.840.10045.4.3.2'));
const COMMON_NAME = objectId('2.5.4.3');
const SUBJECT_ALTERNATIVE_NAME = objectId('2.5.29.17');
const BASIC_CONSTRAINTS = objectId('2.5.29.19');
const EXTENSION_REQUEST = objectId('1.2.840.113549.1.9.14');
const DAY_MS = 86_400_000;

/** A private key on P-256, which every client of today knows. */
export function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

/**
 * A certificate that vouches for itself, with its key, PEM (RFC 5280, 4.1). It serves until there is a real one: no
 * client trusts it.
 */
export function selfSigned(o: { readonly name: string; readonly now: Date; readonly days: number }): string {
  const key = newKey();
  const name = nameOf(o.name);
  const body = sequence(
    context(0, integer(2)),
    integer(serialNumber()),
    ECDSA_WITH_SHA256,
    name,
    sequence(time(new Date(o.now.getTime() - DAY_MS)), time(new Date(o.now.getTime() + o.days * DAY_MS))),
    name,
    publicKeyOf(key),
    context(3, sequence(alternativeName(o.name), sequence(BASIC_CONSTRAINTS, boolean(true), octets(sequence())))),
  );
  return `${pem('CERTIFICATE', signed(body, key))}${pemOfKey(key)}`;
}

/** A request for a certificate of one host, DER (RFC 2986). */
export function signingRequest(host: string, key: KeyObject): Buffer {
  const wanted = sequence(EXTENSION_REQUEST, setOf(sequence(alternativeName(host))));
  const subject = host.length > 64 ? sequence() : nameOf(host);
  return signed(sequence(integer(0), subject, publicKeyOf(key), context(0, wanted)), key);
}

export function pemOfKey(key: KeyObject): string {
  return String(key.export({ type: 'pkcs8', format: 'pem' }));
}

function signed(body: Der, key: KeyObject): Der {
  return sequence(body, ECDSA_WITH_SHA256, bits(sign('sha256', body, key)));
}

function publicKeyOf(key: KeyObject): Der {
  return createPublicKey(key).export({ type: 'spki', format: 'der' });
}

function nameOf(commonName: string): Der {
  return sequence(setOf(sequence(COMMON_NAME, utf8(commonName))));
}

function alternativeName(host: string): Der {
  return sequence(SUBJECT_ALTERNATIVE_NAME, octets(sequence(contextPrimitive(2, Buffer.from(host)))));
}

/** Positive, without a zero at its beginning. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

function pem(label: string, der: Der): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
