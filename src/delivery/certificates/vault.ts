import { createPrivateKey, type KeyObject } from 'node:crypto';
import { chmod, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextIfThere, writeFileAtomic } from '../../lib/files.ts';
import type { Attempts } from './schedule.ts';
import { newKey, pemOfKey } from './x509.ts';

/** A host that we get certificates for. */
export interface AcmeRecord extends Attempts {
  readonly host: string;
  /** The newest chain and its key, PEM. */
  readonly pem?: string;
}

/** Certificates and keys on the disk: nobody but root reads them. */
export interface Vault {
  /** Of files that the Compose file names, by fingerprint. */
  keepOwn(fingerprint: string, pem: string): Promise<void>;
  readOwn(fingerprint: string): Promise<string | undefined>;
  forgetOwn(fingerprint: string): Promise<void>;
  records(): ReadonlyMap<string, AcmeRecord>;
  putRecord(record: AcmeRecord): Promise<void>;
  removeRecord(host: string): Promise<void>;
  /** Made when there is none. */
  accountKey(): Promise<KeyObject>;
}

const PEM = '.pem';
const JSON_SUFFIX = '.json';

/** @param directory `<root>/delivery/certificates` */
export async function openVault(directory: string): Promise<Vault> {
  const [own, hosts] = [join(directory, 'own'), join(directory, 'acme')];
  for (const each of [directory, own, hosts]) {
    await mkdir(each, { recursive: true, mode: 0o700 });
    await chmod(each, 0o700);
  }
  await forgetAbandoned(own);
  const records = await readRecords(hosts);
  const recordPath = (host: string): string => join(hosts, `${host}${JSON_SUFFIX}`);
  return {
    keepOwn: (fingerprint, pem) => writeFileAtomic(join(own, `${fingerprint}${PEM}`), pem, 0o600),
    readOwn: (fingerprint) => readTextIfThere(join(own, `${fingerprint}${PEM}`)),
    forgetOwn: (fingerprint) => rm(join(own, `${fingerprint}${PEM}`), { force: true }),
    records: () => records,
    async putRecord(record) {
      await writeFileAtomic(recordPath(record.host), JSON.stringify(record), 0o600);
      records.set(record.host, record);
    },
    async removeRecord(host) {
      records.delete(host);
      await rm(recordPath(host), { force: true });
    },
    async accountKey() {
      const path = join(directory, 'account.pem');
      const known = await readTextIfThere(path);
      if (known !== undefined) return createPrivateKey(known);
      const key = newKey();
      await writeFileAtomic(path, pemOfKey(key), 0o600);
      return key;
    },
  };
}

const ABANDONED_MS = 86_400_000;

/** Of deployments that were planned only: those that are carried out take theirs away. */
async function forgetAbandoned(own: string): Promise<void> {
  for (const name of await readdir(own)) {
    const { mtimeMs } = await stat(join(own, name));
    if (Date.now() - mtimeMs > ABANDONED_MS) await rm(join(own, name), { force: true });
  }
}

async function readRecords(directory: string): Promise<Map<string, AcmeRecord>> {
  const names = (await readdir(directory)).filter((name) => name.endsWith(JSON_SUFFIX));
  const records = await Promise.all(
    names.map(async (name) => JSON.parse(await readFile(join(directory, name), 'utf8')) as AcmeRecord),
  );
  return new Map(records.map((record) => [record.host, record]));
}
