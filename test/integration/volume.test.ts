import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { Volumes } from '../../src/engine/volume/index.ts';
import { openVolumes } from '../../src/engine/volume/index.ts';
import { openDatabase } from '../../src/lib/database.ts';
import { silentLog } from '../../src/lib/log.ts';

describe('volumes', () => {
  let root: string;
  let volumes: Volumes;
  const unused = () => [];

  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'bascule-volume-'));
    volumes = reopened();
  });
  after(() => rm(root, { recursive: true, force: true }));

  function reopened(): Volumes {
    const database = openDatabase(join(root, 'engine.db'));
    return openVolumes({ directory: join(root, 'volumes'), database, log: silentLog });
  }

  it('creates a folder, gives the same one back, and knows it after a restart', async () => {
    const volume = await volumes.create({ name: 'data', labels: { tier: 'db' } });
    assert.equal(volume.mountpoint, join(root, 'volumes/data/_data'));
    assert.ok(existsSync(volume.mountpoint));
    assert.deepEqual(await volumes.create({ name: 'data' }), volume);
    assert.deepEqual(reopened().get('data'), volume);
  });

  it('makes one of two that are created at once', async () => {
    const [first, second] = await Promise.all([volumes.create({ name: 'twin' }), volumes.create({ name: 'twin' })]);
    assert.deepEqual(first, second);
  });

  it('tells what a volume takes on disk', async () => {
    await writeFile(join(volumes.mountpoint('data'), 'file'), Buffer.alloc(300_000, 1));
    const usage = await volumes.usage();
    const size = usage.find(({ name }) => name === 'data')?.sizeBytes ?? 0;
    assert.ok(size >= 300_000 && size < 400_000, String(size));
  });

  it('refuses to remove what a container uses, naming it', async () => {
    await assert.rejects(volumes.remove('data', { force: false, usersOf: () => ['abc123'] }), {
      code: 'volume-in-use',
      message: 'remove data: volume is in use - [abc123]',
    });
    await assert.rejects(volumes.remove('none', { force: false, usersOf: unused }), { code: 'volume-not-found' });
    await volumes.remove('none', { force: true, usersOf: unused });
  });

  it('prunes anonymous volumes that nobody uses, and named ones only when asked for all', async () => {
    const anonymous = await volumes.create({});
    const used = await volumes.create({});
    const usersOf = (name: string) => (name === used.name ? ['web'] : []);
    assert.deepEqual((await volumes.prune({ all: false, usersOf })).removed, [anonymous.name]);
    const pruned = await volumes.prune({ all: true, usersOf, filter: (volume) => volume.labels['tier'] === 'db' });
    assert.deepEqual(pruned.removed, ['data']);
    assert.ok(pruned.freedBytes >= 300_000);
    assert.deepEqual(
      volumes
        .list()
        .map(({ name }) => name)
        .sort(),
      ['twin', used.name].sort(),
    );
  });

  it('sweeps what a killed removal left behind, and gives a new volume an empty folder', async () => {
    await mkdir(join(root, 'volumes/.removed-000000000000/_data'), { recursive: true });
    const volume = await volumes.create({ name: 'again' });
    await writeFile(join(volume.mountpoint, 'old'), 'x');
    await volumes.remove('again', { force: false, usersOf: unused });
    assert.deepEqual(
      (await readdir(join(root, 'volumes'))).filter((name) => name.startsWith('.')),
      [],
    );
    assert.deepEqual(await readdir((await volumes.create({ name: 'again' })).mountpoint), []);
  });
});
