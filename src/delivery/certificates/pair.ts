import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { UserError } from '../../lib/errors.ts';

/** A certificate with all that a proxy needs to use it. The key is in `pem`: never log or show it. */
export interface CertificatePair {
  /** The chain and its key, PEM, without anything else. */
  readonly pem: string;
  /** SHA-1 of the first certificate, as the proxy names it: capital hexadecimal digits. */
  readonly fingerprint: string;
  /** Host names that it is for, small letters, `*.example.org` among them. */
  readonly names: readonly string[];
  /** `C=US, O=Let's Encrypt, CN=R10` */
  readonly issuer: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** Where the texts come from, for messages. */
export interface PairSource {
  /** `services.web.x-bascule.tls` */
  readonly where: string;
  readonly certificateFile: string;
  readonly keyFile: string;
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g;
/** A proxy takes it as one command, which must fit into its buffer of 16 KiB. */
const MOST_BYTES = 15_000;

/**
 * Reads a chain and its key.
 * @throws UserError `certificate-invalid`, `certificate-key-invalid`, `certificate-key-mismatch`
 */
export function readPair(
  texts: { readonly certificate: string; readonly key: string },
  source: PairSource,
): CertificatePair {
  const chain = (texts.certificate.match(CERTIFICATE) ?? []).map((text) => parse(text, source));
  const [leaf] = chain;
  if (leaf === undefined) throw noCertificate(source);
  const key = privateKey(texts.key, source);
  if (!leaf.checkPrivateKey(key)) throw mismatch(source);
  return checkedPair(leaf, pairText(chain, key), source);
}

/** What `readPair` has written. @throws plain errors for what it has not */
export function parsePair(pem: string): CertificatePair {
  const source: PairSource = { where: 'stored certificate', certificateFile: 'pem', keyFile: 'pem' };
  return readPair({ certificate: pem, key: pem }, source);
}

function checkedPair(leaf: X509Certificate, pem: string, source: PairSource): CertificatePair {
  const bits = leaf.publicKey.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < 2048) throw weakKey(bits, source);
  if (pem.length > MOST_BYTES) throw tooLong(pem.length, source);
  return {
    pem,
    fingerprint: leaf.fingerprint.replaceAll(':', ''),
    names: namesOf(leaf),
    issuer: leaf.issuer.replaceAll('\n', ', '),
    notBefore: leaf.validFromDate,
    notAfter: leaf.validToDate,
  };
}

function pairText(chain: readonly X509Certificate[], key: KeyObject): string {
  const unique = [...new Map(chain.map((each) => [each.fingerprint256, each])).values()];
  return [...unique.map((each) => each.toString()), String(key.export({ type: 'pkcs8', format: 'pem' }))]
    .map((text) => `${text.trim()}\n`)
    .join('');
}

function namesOf(leaf: X509Certificate): readonly string[] {
  const alternative = (leaf.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('DNS:'));
  const common = /^CN=(.+)$/m.exec(leaf.subject ?? '')?.[1] ?? '';
  const names = alternative.length > 0 ? alternative.map((name) => name.slice(4)) : [common];
  return names.map((name) => name.toLowerCase()).filter((name) => /^(?:\*\.)?[a-z0-9_][a-z0-9_.-]*$/.test(name));
}

/** Whether it is for this host; a wildcard stands for exactly one label. */
export function covers({ names }: Pick<CertificatePair, 'names'>, host: string): boolean {
  const wanted = host.toLowerCase();
  return names.includes(wanted) || names.includes(wanted.replace(/^[^.]+/, '*'));
}

const DAY_MS = 86_400_000;
const SOON_DAYS = 14;

/**
 * What speaks against using it now.
 * @returns a warning when it ends soon
 * @throws UserError `certificate-expired`, `certificate-not-yet-valid`, `certificate-host`
 */
export function checkPair(
  pair: CertificatePair,
  o: { readonly source: PairSource; readonly now: Date; readonly host?: string | undefined },
): string | undefined {
  const { source, now, host } = o;
  if (pair.notAfter <= now) throw expired(pair, source);
  if (pair.notBefore > now) throw notYet(pair, source);
  if (host !== undefined && !covers(pair, host)) throw wrongHost(pair, { source, host });
  const days = Math.floor((pair.notAfter.getTime() - now.getTime()) / DAY_MS);
  if (days >= SOON_DAYS) return undefined;
  return `${source.where}: the certificate in ${source.certificateFile} ends in ${days} days (${dateOf(pair.notAfter)}).`;
}

function parse(text: string, source: PairSource): X509Certificate {
  try {
    return new X509Certificate(text);
  } catch (cause) {
    throw noCertificate(source, cause);
  }
}

function privateKey(text: string, source: PairSource): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    // The cause is left out: nothing of a key may come into a message or a log.
    throw refusal(source, {
      code: 'certificate-key-invalid',
      what: `${source.keyFile} is no private key in PEM without a passphrase`,
      fix: 'Give the unencrypted key of the certificate: `openssl pkey -in key.pem -out plain.pem` removes a passphrase.',
    });
  }
}

function noCertificate(source: PairSource, cause?: unknown): UserError {
  return refusal(source, {
    code: 'certificate-invalid',
    what: `${source.certificateFile} is no certificate in PEM`,
    fix: 'Give the certificate of the host first, then those of its issuers (often called fullchain.pem).',
    cause,
  });
}

function mismatch(source: PairSource): UserError {
  return refusal(source, {
    code: 'certificate-key-mismatch',
    what: `the key in ${source.keyFile} does not belong to the first certificate in ${source.certificateFile}`,
    fix: 'Give the key that the certificate was requested with; the certificate of the host must come before those of its issuers.',
  });
}

function weakKey(bits: number, source: PairSource): UserError {
  return refusal(source, {
    code: 'certificate-invalid',
    what: `the key of ${source.certificateFile} has ${bits} bits, too few for the clients of today`,
    fix: 'Get a certificate for a key with at least 2,048 bits (RSA), or on the curve P-256.',
  });
}

function tooLong(bytes: number, source: PairSource): UserError {
  return refusal(source, {
    code: 'certificate-invalid',
    what: `the chain in ${source.certificateFile} is too long: ${bytes} bytes with its key, ${MOST_BYTES} at most`,
    fix: 'Leave the root certificate out, and others that do not belong to the chain.',
  });
}

function expired(pair: CertificatePair, source: PairSource): UserError {
  return refusal(source, {
    code: 'certificate-expired',
    what: `the certificate in ${source.certificateFile} ended on ${dateOf(pair.notAfter)}`,
    fix: 'Renew it, then deploy again.',
  });
}

function notYet(pair: CertificatePair, source: PairSource): UserError {
  return refusal(source, {
    code: 'certificate-not-yet-valid',
    what: `the certificate in ${source.certificateFile} begins on ${dateOf(pair.notBefore)} only`,
    fix: 'Use the one that is valid now; look at the clock of this machine too.',
  });
}

function wrongHost(pair: CertificatePair, { source, host }: { source: PairSource; host: string }): UserError {
  return refusal(source, {
    code: 'certificate-host',
    what: `the certificate in ${source.certificateFile} is for ${pair.names.join(', ') || 'no host name'}, not for ${host}`,
    fix: `Give one that covers ${host}, or change route.host.`,
  });
}

function refusal(
  source: PairSource,
  o: { readonly code: string; readonly what: string; readonly fix: string; readonly cause?: unknown },
): UserError {
  return new UserError({
    code: o.code,
    kind: 'invalid',
    message: `${source.where}: ${o.what}`,
    fix: o.fix,
    ...(o.cause === undefined ? {} : { cause: o.cause }),
  });
}

function dateOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}
