import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory, writeFileAtomic } from '../../lib/files.ts';
import { parsePair, selfSigned } from '../certificates/index.ts';
import type { Certificate, InstalledCertificate } from './traffic.ts';

/** The certificates that are to serve, one file each, with their keys: nobody but root reads them. */
export interface CertificateStore {
  /** The first one is for whoever asks for a host that has none. */
  all(): readonly Certificate[];
  /** What it would be with this one. */
  allWith(certificate: Certificate): readonly Certificate[];
  put(certificate: Certificate): Promise<void>;
  remove(name: string): Promise<void>;
  /** All but our own. */
  clear(): Promise<void>;
}

/** Our own, which no client trusts. No project has such a name. */
const OWN = '.own';
const OWN_DAYS = 3_650;
const SUFFIX = '.json';

export async function openCertificates(directory: string): Promise<CertificateStore> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const known = await readAll(directory);
  const pathOf = (name: string): string => join(directory, `${name.replaceAll('/', '~')}${SUFFIX}`);
  const put = async (certificate: Certificate): Promise<void> => {
    await writeFileAtomic(pathOf(certificate.name), JSON.stringify(certificate), 0o600);
    known.set(certificate.name, certificate);
  };
  const remove = async (name: string): Promise<void> => {
    if (!known.delete(name)) return;
    await rm(pathOf(name), { force: true });
    await syncDirectory(directory);
  };
  if (!known.has(OWN)) await put(await ownCertificate());
  return {
    all: () => withDefault([...known.values()]),
    allWith: (certificate) => withDefault([...new Map(known).set(certificate.name, certificate).values()]),
    put,
    remove,
    async clear() {
      for (const name of known.keys()) if (name !== OWN) await remove(name);
    },
  };
}

/** What a crash left half written has another ending, and goes. */
async function readAll(directory: string): Promise<Map<string, Certificate>> {
  const found = new Map<string, Certificate>();
  for (const file of await readdir(directory)) {
    const path = join(directory, file);
    if (!file.endsWith(SUFFIX)) await rm(path, { force: true });
    else {
      const certificate = JSON.parse(await readFile(path, 'utf8')) as Certificate;
      found.set(certificate.name, certificate);
    }
  }
  return found;
}

async function ownCertificate(): Promise<Certificate> {
  const pem = await selfSigned({ name: 'bascule.invalid', now: new Date(), days: OWN_DAYS });
  return { name: OWN, hosts: [], isDefault: false, ...fingerprintedPem(pem) };
}

function fingerprintedPem(text: string): Pick<Certificate, 'pem' | 'fingerprint' | 'notAfterMs'> {
  const { pem, fingerprint, notAfter } = parsePair(text);
  return { pem, fingerprint, notAfterMs: notAfter.getTime() };
}

/** Matches no host: only whoever matches nothing gets it. */
const NO_HOST = '!*';

function withDefault(all: readonly Certificate[]): readonly Certificate[] {
  const others = all.filter(({ name }) => name !== OWN).sort((a, b) => (a.name < b.name ? -1 : 1));
  const chosen = others.find(({ isDefault }) => isDefault) ?? all.find(({ name }) => name === OWN);
  if (chosen === undefined) throw new Error('there is no certificate of our own');
  return [{ ...chosen, name: OWN, hosts: [NO_HOST] }, ...others];
}

/** Without the default one, and without keys. */
export function installedOf(certificates: readonly Certificate[]): readonly InstalledCertificate[] {
  return certificates.slice(1).map(({ pem: _, ...certificate }) => certificate);
}

/** By fingerprint. */
export function issuersOf(certificates: readonly Certificate[]): ReadonlyMap<string, string> {
  return new Map(certificates.map(({ fingerprint, pem }) => [fingerprint, parsePair(pem).issuer]));
}
