import { createPrivateKey, generateKeyPairSync, type KeyObject, webcrypto } from 'node:crypto';

const DAY_MS = 86_400_000;
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** A private key on P-256, which every client of today knows. */
export function newKey(): KeyObject {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
}

/**
 * A certificate that vouches for itself, with its key, PEM (RFC 5280, 4.1). It serves until there is a real one: no
 * client trusts it.
 */
export async function selfSigned(o: {
  readonly name: string;
  readonly now: Date;
  readonly days: number;
}): Promise<string> {
  // Needed once in the life of a machine: 25 MB and a quarter of a second that other starts do not pay.
  const { BasicConstraintsExtension, SubjectAlternativeNameExtension, X509CertificateGenerator } =
    await import('@peculiar/x509');
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      name: [{ CN: [o.name] }],
      notBefore: new Date(o.now.getTime() - DAY_MS),
      notAfter: new Date(o.now.getTime() + o.days * DAY_MS),
      extensions: [
        new SubjectAlternativeNameExtension([{ type: 'dns', value: o.name }]),
        new BasicConstraintsExtension(false, undefined, true),
      ],
      signingAlgorithm: ALGORITHM,
      keys,
    },
    webcrypto,
  );
  return `${certificate.toString('pem')}\n${pemOfKey(await keyOf(keys.privateKey))}`;
}

async function keyOf(key: webcrypto.CryptoKey): Promise<KeyObject> {
  const der = await webcrypto.subtle.exportKey('pkcs8', key);
  return createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
}

export function pemOfKey(key: KeyObject): string {
  return String(key.export({ type: 'pkcs8', format: 'pem' }));
}
