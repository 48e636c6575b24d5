import { readFile } from 'node:fs/promises';
import { messageOf, systemCodeOf, UserError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { type CertificatePair, checkPair, type PairSource, parsePair, readPair } from './pair.ts';
import { afterFailure, renewalMs, sleepMs } from './schedule.ts';
import { type AcmeRecord, openVault, type Vault } from './vault.ts';
import { newKey, pemOfKey } from './x509.ts';

export interface AcmeSettings {
  /** Whoever gives it agrees to the terms of the authority. Absent: no certificates are requested. */
  readonly email?: string | undefined;
  /** Address of the authority's directory. */
  readonly directory: string;
  /** File with certificates of a private authority. */
  readonly rootCertificate?: string | undefined;
}

/** Where certificates serve. */
export interface FrontDoor {
  installCertificate(certificate: PlacedCertificate & { readonly pem: string }): Promise<void>;
  setChallenge(token: string, answer: string | null): Promise<void>;
}

/** A certificate by its fingerprint, and for whom it is; without its key. */
export interface PlacedCertificate {
  /** `<project>/<service>` */
  readonly name: string;
  readonly hosts: readonly string[];
  readonly fingerprint: string;
  readonly isDefault: boolean;
  readonly notAfterMs: number;
}

/** A service that wants a certificate from an authority. */
export interface AcmeWish {
  readonly name: string;
  readonly host: string;
}

/** What people may know of a certificate that we get ourselves. */
export interface AcmeState {
  readonly host: string;
  /** Of the newest that there is. */
  readonly fingerprint?: string;
  readonly notAfter?: Date;
  readonly next: Date;
  readonly failures: number;
  readonly reason?: string;
}

/** Certificates of services, from files and from an authority. */
export interface Certificates {
  /**
   * Reads and checks two files of a service, and keeps what they hold until it is installed.
   * @throws UserError `certificate-unreadable`, and those of `readPair` and `checkPair`
   */
  prepareOwn(source: PairSource, host: string | undefined): Promise<PreparedPair>;
  /** One that was prepared, or that an authority gave. May be repeated. */
  install(certificate: PlacedCertificate): Promise<void>;
  /** What an authority gave for this host. */
  known(host: string): CertificatePair | undefined;
  /** @throws UserError `acme-not-configured` */
  requireAcme(where: string): void;
  /** Gets one now and installs it. @throws UserError `acme-failed`, `acme-unreachable` */
  obtain(wish: AcmeWish, signal: AbortSignal): Promise<void>;
  /** From now on, missing ones are requested and old ones renewed. */
  look(wishes: () => readonly AcmeWish[]): void;
  /** The wishes may have changed. */
  wake(): void;
  states(): readonly AcmeState[];
  close(): Promise<void>;
}

export type PreparedPair = Pick<CertificatePair, 'fingerprint' | 'names' | 'notAfter'> & { readonly warning?: string };

export interface CertificatesOptions {
  /** `<root>/delivery/certificates`; made when absent. */
  readonly directory: string;
  readonly acme: AcmeSettings;
  readonly frontDoor: FrontDoor;
  readonly log: Log;
  now(): Date;
}

export async function openCertificates(options: CertificatesOptions): Promise<Certificates> {
  const { frontDoor, now, acme } = options;
  const vault = await openVault(options.directory);
  const obtaining = createObtaining(options, vault);
  const renewals = createRenewals({ ...options, vault, obtain: obtaining.obtain });

  return {
    async prepareOwn(source, host) {
      const [certificate, key] = [await read(source.certificateFile, source), await read(source.keyFile, source)];
      const pair = readPair({ certificate, key }, source);
      const warning = checkPair(pair, { source, host, now: now() });
      await vault.keepOwn(pair.fingerprint, pair.pem);
      const { fingerprint, names, notAfter } = pair;
      return { fingerprint, names, notAfter, ...(warning === undefined ? {} : { warning }) };
    },
    async install(certificate) {
      const { fingerprint } = certificate;
      const pem = (await vault.readOwn(fingerprint)) ?? pemFromAuthority(vault, fingerprint);
      // Done already, by a daemon that died then.
      if (pem === undefined) return;
      await frontDoor.installCertificate({ ...certificate, pem });
      await vault.forgetOwn(fingerprint);
    },
    known(host) {
      const pem = vault.records().get(host)?.pem;
      const pair = pem === undefined ? undefined : parsePair(pem);
      return pair !== undefined && pair.notAfter > now() ? pair : undefined;
    },
    requireAcme(where) {
      if (acme.email === undefined) throw notConfigured(where, acme);
    },
    obtain: obtaining.obtain,
    look: renewals.look,
    wake: renewals.wake,
    states: () => [...vault.records().values()].map(stateOf),
    async close() {
      renewals.close();
      await obtaining.close();
    },
  };
}

function createObtaining({ acme, frontDoor, log, now }: CertificatesOptions, vault: Vault) {
  const running = new Map<string, Promise<void>>();
  const stopping = new AbortController();

  async function obtainNow({ name, host }: AcmeWish, signal: AbortSignal): Promise<void> {
    const key = newKey();
    const server = { ...(await serverOf(acme)), accountKey: await vault.accountKey() };
    const order = { host, key, signal, setChallenge: frontDoor.setChallenge.bind(frontDoor) };
    // The library takes 45 MB: only a daemon that requests certificates loads it.
    const { orderCertificate } = await import('./acme/client.ts');
    const certificate = await orderCertificate(server, order);
    const texts = { certificate, key: pemOfKey(key) };
    const pair = readPair(texts, { where: host, certificateFile: server.directory, keyFile: 'its key' });
    const nextMs = renewalMs(pair, { nowMs: now().getTime(), chance: Math.random() });
    await vault.putRecord({ host, pem: pair.pem, failures: 0, nextMs });
    const { fingerprint, pem } = pair;
    const notAfterMs = pair.notAfter.getTime();
    await frontDoor.installCertificate({ name, hosts: [host], fingerprint, pem, isDefault: false, notAfterMs });
    log.info({ host, notAfter: pair.notAfter, renewal: new Date(nextMs) }, 'got a certificate');
  }

  async function obtain(wish: AcmeWish, given: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([given, stopping.signal]);
    try {
      await obtainNow(wish, signal);
    } catch (error) {
      if (stopping.signal.aborted) throw error;
      const before = vault.records().get(wish.host);
      const reason = messageOf(error);
      const attempts = afterFailure(before, { nowMs: now().getTime(), reason, chance: Math.random() });
      await vault.putRecord({ ...before, host: wish.host, ...attempts });
      log.warn({ host: wish.host, reason, next: new Date(attempts.nextMs) }, 'no certificate: trying again later');
      throw error;
    }
  }

  return {
    /** One order for a host at a time. */
    obtain(wish: AcmeWish, signal: AbortSignal): Promise<void> {
      const known = running.get(wish.host);
      if (known !== undefined) return known;
      const work = obtain(wish, signal).finally(() => running.delete(wish.host));
      running.set(wish.host, work);
      return work;
    },
    async close(): Promise<void> {
      stopping.abort();
      await Promise.allSettled(running.values());
    },
  };
}

function createRenewals(o: {
  readonly vault: Vault;
  readonly acme: AcmeSettings;
  readonly log: Log;
  now(): Date;
  obtain(wish: AcmeWish, signal: AbortSignal): Promise<void>;
}) {
  const { vault, acme, log, now } = o;
  const { signal } = new AbortController();
  let wishes: (() => readonly AcmeWish[]) | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isClosed = false;
  let isLooking = false;

  const dueMs = ({ host }: AcmeWish): number => vault.records().get(host)?.nextMs ?? 0;

  async function lookOnce(): Promise<void> {
    for (const wish of wishes?.() ?? []) {
      if (isClosed || dueMs(wish) > now().getTime()) continue;
      await o.obtain(wish, signal).catch(() => {}); // told and written down where it happened
    }
  }

  function plan(): void {
    clearTimeout(timer);
    if (isClosed || wishes === undefined || acme.email === undefined) return;
    const waitMs = sleepMs(wishes().map(dueMs), now().getTime());
    timer = setTimeout(() => void run(), waitMs);
    timer.unref();
  }

  async function run(): Promise<void> {
    if (isLooking) return;
    isLooking = true;
    try {
      await lookOnce();
    } catch (error) {
      log.error({ err: error }, 'certificates could not be looked after');
    } finally {
      isLooking = false;
    }
    plan();
  }

  return {
    look(given: () => readonly AcmeWish[]): void {
      wishes = given;
      plan();
    },
    wake: plan,
    close(): void {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

async function serverOf({ email, directory, rootCertificate }: AcmeSettings) {
  if (email === undefined) throw notConfigured('acme', { directory });
  const authority = rootCertificate === undefined ? undefined : await readFile(rootCertificate, 'utf8');
  return { email, directory, authority };
}

function pemFromAuthority(vault: Vault, fingerprint: string): string | undefined {
  const pems = [...vault.records().values()].flatMap(({ pem }) => (pem === undefined ? [] : [pem]));
  return pems.find((pem) => parsePair(pem).fingerprint === fingerprint);
}

function stateOf({ host, pem, nextMs, failures, lastFailure }: AcmeRecord): AcmeState {
  const pair = pem === undefined ? undefined : parsePair(pem);
  return {
    host,
    next: new Date(nextMs),
    failures,
    ...(pair === undefined ? {} : { fingerprint: pair.fingerprint, notAfter: pair.notAfter }),
    ...(lastFailure === undefined ? {} : { reason: lastFailure.reason }),
  };
}

async function read(path: string, source: PairSource): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new UserError({
      code: 'certificate-unreadable',
      kind: 'invalid',
      message: `${source.where}: ${path} cannot be read (${systemCodeOf(cause) ?? messageOf(cause)})`,
      fix: 'Give the path of a file on the machine where the daemon runs. Nothing was changed.',
      cause,
    });
  }
}

function notConfigured(where: string, { directory }: Pick<AcmeSettings, 'directory'>): UserError {
  return new UserError({
    code: 'acme-not-configured',
    kind: 'invalid',
    message: `${where}: no certificate can be requested, because acme.email is not set`,
    fix: `Read the terms of ${new URL(directory).host}, then agree by \`bascule config set acme.email you@example.org\`, and restart the daemon.`,
  });
}
