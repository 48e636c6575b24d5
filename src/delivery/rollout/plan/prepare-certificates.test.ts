import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { silentLog } from '../../../lib/log.ts';
import { type Certificates, openCertificates, parsePair, selfSigned } from '../../certificates/index.ts';
import type { TlsSettings } from '../../compose/index.ts';
import type { Release } from '../../release/index.ts';
import type { InstalledCertificate } from '../../traffic/index.ts';
import { certificateNeeds } from './prepare-certificates.ts';

const pem = await selfSigned({ name: 'shop.example.org', now: new Date(), days: 60 });

describe('what a release needs of certificates', () => {
  let folder: string;
  let certificates: Certificates;
  let file: string;
  const { fingerprint, notAfter } = parsePair(pem);
  const installed: InstalledCertificate = {
    ...{ name: 'shop/web', hosts: ['shop.example.org'], fingerprint, isDefault: false },
    notAfterMs: notAfter.getTime(),
  };

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'bascule-needs-'));
    file = join(folder, 'both.pem');
    await writeFile(file, pem);
    certificates = await openCertificates({
      directory: join(folder, 'certificates'),
      acme: { directory: 'https://acme.invalid/dir' },
      frontDoor: { installCertificate: async () => {}, setChallenge: async () => {} },
      log: silentLog,
      now: () => new Date(),
    });
  });
  after(async () => {
    await certificates.close();
    await rm(folder, { recursive: true, force: true });
  });

  const needs = (
    tls: Partial<TlsSettings> | undefined,
    o: { host?: string; there?: readonly InstalledCertificate[]; keepInstalled?: boolean } = {},
  ) => {
    const { host, there = [], keepInstalled = false } = o;
    const route = host === undefined ? {} : { route: { host } };
    const settings = tls === undefined ? route : { ...route, tls: { redirect: true, ...tls } };
    const target = { project: 'shop', model: { services: { web: { settings } } } } as unknown as Release;
    const state = { certificates: there, publishedPorts: [] };
    return certificateNeeds(certificates, { target, state, ports: [], keepInstalled });
  };
  const own = (): Partial<TlsSettings> => ({ certificate: file, key: file });

  it('is that of its files, for its host; without a host for the names in it, and as the default', async () => {
    const named = await needs(own(), { host: 'Shop.example.org' });
    assert.deepEqual(named.install, [installed]);
    const nameless = await needs(own());
    assert.deepEqual(nameless.install, [{ ...installed, isDefault: true }]);
  });

  it('is nothing where it is installed already', async () => {
    const { install, remove, obtain } = await needs(own(), { host: 'shop.example.org', there: [installed] });
    assert.deepEqual([install, remove, obtain], [[], [], []]);
  });

  it('is nothing for whoever comes without files, as long as there is one', async () => {
    const gone = { certificate: '/nowhere/a.pem', key: '/nowhere/a.pem' };
    const kept = await needs(gone, { host: 'shop.example.org', there: [installed], keepInstalled: true });
    assert.deepEqual(kept.install, []);
    await assert.rejects(needs(gone, { host: 'shop.example.org', keepInstalled: true }), {
      code: 'certificate-unreadable',
    });
  });

  it('is that others go, of this project only', async () => {
    const there = [installed, { ...installed, name: 'shop/old' }, { ...installed, name: 'shop2/web' }];
    assert.deepEqual((await needs(undefined, { there })).remove, ['shop/web', 'shop/old']);
  });

  it('is an authority that may be asked', async () => {
    await assert.rejects(needs({ acme: true }, { host: 'shop.example.org' }), { code: 'acme-not-configured' });
    const asked = await needs({ acme: true }, { host: 'shop.example.org', keepInstalled: true });
    assert.deepEqual(asked.obtain, [{ name: 'shop/web', host: 'shop.example.org' }]);
    assert.match(asked.warnings.join(), /no certificate for shop\.example\.org yet.*port 80/);
  });
});
