import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { defaultSettings, type Project } from '../compose/index.ts';
import { type FileStore, openFileStore } from './files.ts';
import { openKeyring } from './keyring.ts';

const folders: string[] = [];
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'bascule-files-'));
  folders.push(made);
  return made;
}
after(() => {
  for (const each of folders) rmSync(each, { recursive: true, force: true });
});

const open = (directory: string): FileStore => openFileStore({ directory, keyring: openKeyring({ directory }) });

function project(secret: string, config = 'plain'): Project {
  return {
    name: 'p',
    services: {
      web: { command: null, entrypoint: null, settings: {}, secrets: [{ source: 's' }], configs: [{ source: 'c' }] },
    },
    networks: {},
    volumes: {},
    configs: { c: { content: config } },
    secrets: { s: { content: secret } },
    models: {},
    extensions: {},
    settings: defaultSettings(),
  };
}

async function versionOf(store: FileStore, secret: string): Promise<string> {
  return (await store.keep(project(secret), {}))['secrets/s']!.version;
}

const LOST = 'f'.repeat(64);
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('configs and secrets', () => {
  it('are kept sealed, under names that tell nothing of a secret', async () => {
    const directory = folder();
    const store = open(directory);
    const { 'secrets/s': secret, 'configs/c': config } = await store.keep(project('1234'), {});
    assert.notEqual(secret!.version, sha256('1234'));
    assert.equal(config!.version, sha256('plain'));
    assert.equal(await versionOf(open(directory), '1234'), secret!.version, 'the same content, the same version');
    assert.notEqual(await versionOf(store, '12345'), secret!.version);
    for (const name of readdirSync(join(directory, 'files')))
      assert.doesNotMatch(readFileSync(join(directory, 'files', name), 'latin1'), /1234|plain/);
  });

  it('are placed in the clear with owner and mode', async () => {
    const store = open(folder());
    const placement = { version: await versionOf(store, 'hunter2'), uid: 0, gid: 0, mode: 0o440 };
    await store.place(placement);
    assert.equal(readFileSync(store.pathOf(placement), 'utf8'), 'hunter2');
    assert.equal(statSync(store.pathOf(placement)).mode & 0o777, 0o440);
  });

  it('of an older Bascule are sealed, and keep their versions while they last', async () => {
    const directory = folder();
    mkdirSync(join(directory, 'secrets'));
    writeFileSync(join(directory, 'secrets', sha256('old one')), 'old one');
    const store = open(directory);
    assert.throws(() => statSync(join(directory, 'secrets')));
    assert.equal(await versionOf(store, 'old one'), sha256('old one'), 'no new release for the same content');
    const placement = { version: sha256('old one'), uid: 0, gid: 0, mode: 0o444 };
    await store.place(placement);
    assert.equal(readFileSync(store.pathOf(placement), 'utf8'), 'old one');
    store.collect({ versions: new Set(), placements: [] });
    assert.notEqual(await versionOf(store, 'old one'), sha256('old one'));
  });

  it('that are needed stay, all others go, whatever is asked', async () => {
    const names = ['a', 'b', 'c', 'd'];
    await fc.assert(
      fc.asyncProperty(fc.subarray(names), fc.subarray(names), async (needed, placed) => {
        const store = open(folder());
        const versions = new Map<string, string>();
        for (const name of names) versions.set(name, await versionOf(store, `secret ${name}`));
        const placementOf = (name: string) => ({ version: versions.get(name)!, uid: 0, gid: 0, mode: 0o444 });
        for (const name of names) await store.place(placementOf(name));
        const live = placed.filter((name) => needed.includes(name));
        store.collect({
          versions: new Set(needed.map((name) => versions.get(name)!)),
          placements: live.map(placementOf),
        });
        for (const name of names) {
          const isThere = await store.place(placementOf(name)).then(
            () => true,
            () => false,
          );
          assert.equal(isThere, needed.includes(name));
        }
      }),
      { numRuns: 20 },
    );
  });

  it('are filled in again where the memory was lost; what cannot be opened is told', async () => {
    const directory = folder();
    const store = open(directory);
    const placement = { version: await versionOf(store, 'hunter2'), uid: 0, gid: 0, mode: 0o444 };
    assert.deepEqual(store.refill([placement, { ...placement, version: LOST }]), [LOST]);
    assert.equal(readFileSync(store.pathOf(placement), 'utf8'), 'hunter2');
  });

  it('are hidden in what programs print', async () => {
    const store = open(folder());
    const files = await store.keep(project('line one\nhunter2\nab', 'a config'), {});
    const hide = store.hider({ files });
    assert.equal(hide('login with hunter2 failed: a config, ab'), 'login with (hidden) failed: a config, ab');
    assert.equal(hide('line one\nhunter2\nab'), '(hidden)');
  });
});
