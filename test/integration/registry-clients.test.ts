import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setPassword } from '../../src/engine/registry/index.ts';
import { run, type RunResult } from '../../src/lib/process.ts';
import { cannotRunContainers } from '../support/docker-engine.ts';
import { ImageBench } from '../support/image-bench.ts';
import { isInstalled } from '../support/installed.ts';
import { type Dockerd, importBusybox, startDockerd } from '../support/machine.ts';
import { OCI_INDEX, OCI_MANIFEST, openTestRegistry, pushImage, type TestRegistry } from '../support/registry.ts';

const base = mkdtempSync('/var/tmp/bascule-registry-clients-');
after(() => rmSync(base, { recursive: true, force: true }));
const usersFile = join(base, 'users');
await setPassword(usersFile, { user: 'alice', password: 'a secret' });
await setPassword(usersFile, { user: 'bob', password: 'another' });
const settings = {
  authentication: { kind: 'token', usersFile, keyFile: join(base, 'key.pem'), service: 'test' },
  rules: [
    { user: 'alice', repositories: '**', actions: ['pull', 'push', 'delete'] },
    { user: 'anonymous', repositories: 'public/**', actions: ['pull'] },
  ],
  anonymous: [],
} as const;

describe('skopeo', { skip: isInstalled('skopeo') ? false : 'needs skopeo' }, () => {
  it('copies in and out, lists, inspects and deletes; an index with all it names', async () => {
    await using registry = await openTestRegistry();
    const { url, host } = registry;
    const images = [await pushImage(url, 'src/app'), await pushImage(url, 'src/app')];
    const manifests = images.map(({ digest, size }, n) => ({
      ...{ mediaType: OCI_MANIFEST, digest, size },
      platform: { os: 'linux', architecture: n === 0 ? 'amd64' : 'arm64' },
    }));
    const index = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
    const headers = { 'content-type': OCI_INDEX };
    assert.equal((await fetch(`${url}/v2/src/app/manifests/v1`, { method: 'PUT', headers, body: index })).status, 201);

    await skopeo('copy', '--all', `docker://${host}/src/app:v1`, `docker://${host}/dst/app:v1`);
    await skopeo('copy', '--all', `docker://${host}/dst/app:v1`, `oci:${join(base, 'layout')}:v1`);
    await skopeo('copy', '--all', `oci:${join(base, 'layout')}:v1`, `docker://${host}/back/app:v2`);
    const tags = JSON.parse(await skopeo('list-tags', `docker://${host}/back/app`)) as { Tags: string[] };
    assert.deepEqual(tags.Tags, ['v2']);
    const raw = await skopeo('inspect', '--raw', `docker://${host}/back/app:v2`);
    assert.deepEqual(JSON.parse(raw), JSON.parse(index));
    await skopeo('delete', `docker://${host}/back/app:v2`);
    assert.deepEqual(await (await fetch(`${url}/v2/back/app/tags/list`)).json(), { name: 'back/app', tags: [] });
  });

  it('gets a token with a password, and none for what its user may not do', async () => {
    await using registry = await openTestRegistry({ settings });
    await using open = await openTestRegistry();
    await pushImage(open.url, 'app', { reference: 'v1' });
    const from = `docker://${open.host}/app:v1`;
    await skopeo('copy', '--dest-creds=alice:a secret', from, `docker://${registry.host}/public/app:v1`);
    const back = ['copy', `docker://${registry.host}/public/app:v1`, `dir:${join(base, 'back')}`] as const;
    await skopeo(...back);
    for (const creds of ['bob:another', 'alice:wrong']) {
      const refused = await trySkopeo('copy', `--dest-creds=${creds}`, from, `docker://${registry.host}/team/app:v1`);
      assert.notEqual(refused.exitCode, 0, creds);
      assert.match(refused.stderr, /denied|unauthorized|authentication required/i);
    }
  });
});

describe('docker', { skip: cannotRunContainers() || (isInstalled('dockerd') ? false : 'needs dockerd') }, () => {
  let dockerd: Dockerd;
  let registry: TestRegistry;
  before(async () => {
    dockerd = await startDockerd(join(base, 'dockerd'));
    importBusybox(dockerd.socket, base);
    registry = await openTestRegistry({ settings });
  });
  after(async () => {
    await registry[Symbol.asyncDispose]();
    await dockerd[Symbol.asyncDispose]();
  });
  const docker = (words: readonly string[], input?: string): Promise<RunResult> =>
    run(['docker', '--config', join(base, 'config'), '-H', `unix://${dockerd.socket}`, ...words], {
      timeoutMs: 60_000,
      ...(input === undefined ? {} : { input }),
    });
  const must = async (words: readonly string[], input?: string): Promise<string> => {
    const result = await docker(words, input);
    assert.equal(result.exitCode, 0, `docker ${words.join(' ')}: ${result.stderr}`);
    return result.stdout;
  };

  it('logs in, pushes, mounts, pulls by tag and digest, and runs what it pulled', async () => {
    const image = `${registry.host}/team/app:v1`;
    await must(['tag', 'busybox', image]);
    assert.notEqual((await docker(['push', image])).exitCode, 0);
    assert.notEqual((await docker(['login', '-u', 'alice', '--password-stdin', registry.host], 'wrong')).exitCode, 0);
    await must(['login', '-u', 'alice', '--password-stdin', registry.host], 'a secret');
    const pushed = await must(['push', image]);
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(pushed)?.[1] ?? '';
    const other = `${registry.host}/public/app:v1`;
    await must(['tag', 'busybox', other]);
    assert.match(await must(['push', other]), /Mounted from team\/app/);
    await must(['rmi', image, other]);
    await must(['pull', image]);
    await must(['pull', `${registry.host}/team/app@${digest}`]);
    assert.equal(await must(['run', '--rm', '--network=none', image, 'echo', 'here']), 'here\n');
    await must(['logout', registry.host]);
    await must(['rmi', '-f', other]);
    await must(['pull', other]); // what is public, without a password
    assert.notEqual((await docker(['pull', image])).exitCode, 0);
  });

  it("pulls a layer that the engine's store makes as it is read", async () => {
    await using bench = await new ImageBench().open();
    const built = await bench.step(undefined, (root) => {
      mkdirSync(join(root, 'data'));
      for (let n = 0; n < 300; n++) writeFileSync(join(root, 'data', `file-${n}`), randomBytes(1_000));
    });
    const [layer] = bench.store.layersOf(built.id);
    await using shared = await openTestRegistry({ images: bench.store });
    const text = JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: {
        mediaType: 'application/vnd.oci.image.config.v1+json',
        digest: built.id,
        size: bench.store.configBytes(built.id).length,
      },
      layers: [
        {
          mediaType: 'application/vnd.oci.image.layer.v1.tar',
          digest: layer!.diffId,
          size: bench.store.layerTarBytes(layer!.diffId),
        },
      ],
    });
    const headers = { 'content-type': OCI_MANIFEST };
    const put = await fetch(`${shared.url}/v2/app/manifests/v1`, { method: 'PUT', headers, body: text });
    assert.equal(put.status, 201);
    await must(['pull', `${shared.host}/app:v1`]);
    const id = await must(['image', 'inspect', '--format', '{{.Id}}', `${shared.host}/app:v1`]);
    assert.equal(id.trim(), built.id);
  });

  it('asks of a manifest what a deployment asks', async () => {
    await must(['login', '-u', 'alice', '--password-stdin', registry.host], 'a secret');
    const image = `${registry.host}/team/asked:v1`;
    await must(['tag', 'busybox', image]);
    await must(['push', image]);
    const text = await must(['manifest', 'inspect', '--insecure', image]);
    assert.equal((JSON.parse(text) as { schemaVersion: number }).schemaVersion, 2);
  });
});

function trySkopeo(...words: readonly string[]): Promise<RunResult> {
  const flags: Readonly<Record<string, readonly string[]>> = {
    copy: ['--src-tls-verify=false', '--dest-tls-verify=false'],
    'list-tags': ['--tls-verify=false'],
    inspect: ['--tls-verify=false'],
    delete: ['--tls-verify=false'],
  };
  const [command = '', ...rest] = words;
  return run(['skopeo', '--insecure-policy', command, ...(flags[command] ?? []), ...rest], { timeoutMs: 60_000 });
}

async function skopeo(...words: readonly string[]): Promise<string> {
  const result = await trySkopeo(...words);
  assert.equal(result.exitCode, 0, `skopeo ${words.join(' ')}: ${result.stderr}`);
  return result.stdout;
}
