import assert from 'node:assert/strict';
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readSettings, type RegistryConfiguration } from './settings.ts';

const root = mkdtempSync(join(tmpdir(), 'bascule-registry-settings-'));
after(() => rmSync(root, { recursive: true }));
const withUsers = join(root, 'with-users');
mkdirSync(join(withUsers, 'registry'), { recursive: true });
writeFileSync(join(withUsers, 'registry', 'users'), '');

const BARE: RegistryConfiguration = {
  rights: [],
  token: { service: 'bascule' },
  tls: {},
  read_only: false,
  storage: 'file-system',
  s3: { region: 'us-east-1', prefix: '' },
  share_engine: true,
  max_blob_bytes: 1,
  max_connections: 1,
  idle_seconds: 1,
  upload_hours: 1,
  grace_minutes: 1,
  garbage_collection_hours: 24,
};
const LOCAL = '127.0.0.1:5000';
const NETWORK = '0.0.0.0:5000';

async function accessOf(o: {
  listen: string;
  root?: string;
  change?: Partial<RegistryConfiguration>;
}): Promise<string> {
  const settings = await readSettings({ ...BARE, ...o.change }, { root: o.root ?? root, listen: o.listen });
  return `${settings.authentication.kind}: ${settings.anonymous.join(' ')}`;
}

it('collects once a day, less often, or not at all', async () => {
  const every = async (change: Partial<RegistryConfiguration>): Promise<number | undefined> =>
    (await readSettings({ ...BARE, ...change }, { root, listen: LOCAL })).collectEveryMs;
  assert.equal(await every({}), 86_400_000);
  assert.equal(await every({ garbage_collection_hours: 0 }), undefined);
  assert.equal(await every({ read_only: true }), undefined);
  assert.equal(await every({ garbage_collection_hours: 10_000 }), 2 ** 31 - 1);
});

describe('who may use a registry', () => {
  it('is everybody on loopback where nothing is said, and who has a password elsewhere', async () => {
    assert.equal(await accessOf({ listen: LOCAL }), 'none: pull push delete');
    assert.equal(await accessOf({ listen: '[::1]:5000' }), 'none: pull push delete');
    assert.equal(await accessOf({ listen: NETWORK, root: withUsers }), 'token: ');
    assert.equal(await accessOf({ listen: LOCAL, root: withUsers }), 'token: ');
    assert.equal(await accessOf({ listen: NETWORK, change: { anonymous: 'pull' } }), 'none: pull');
    const rights = [{ user: 'anonymous', repositories: 'public/**', actions: ['pull'] }] as const;
    assert.equal(await accessOf({ listen: LOCAL, change: { rights } }), 'none: ');
  });

  it('is never a network by accident', async () => {
    const wrong: readonly Parameters<typeof accessOf>[0][] = [
      { listen: NETWORK },
      { listen: 'registry.example.org:5000' },
      { listen: LOCAL, change: { anonymous: 'none' } },
      { listen: LOCAL, change: { rights: [{ user: 'ci', repositories: '**', actions: ['pull'] }] } },
      { listen: NETWORK, change: { authentication: 'basic' } },
      { listen: NETWORK, root: withUsers, change: { authentication: 'none' } },
    ];
    for (const each of wrong) await assert.rejects(accessOf(each), { code: 'registry-config-invalid' });
  });
});

describe('what is half said', () => {
  it('is refused', async () => {
    const wrong: readonly Partial<RegistryConfiguration>[] = [
      { tls: { key: '/k' } },
      { storage: 's3' },
      {
        storage: 's3',
        s3: { ...BARE.s3, endpoint: 'http://x', bucket: 'b', access_key: 'k', secret_key_file: '/none' },
      },
      { token: { service: 'x', realm: 'https://x' } },
      { metrics: '127.0.0.1:99999' },
    ];
    for (const change of wrong)
      await assert.rejects(accessOf({ listen: LOCAL, change }), { code: 'registry-config-invalid' });
  });
});
