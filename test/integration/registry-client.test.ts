import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { UserError } from '../../src/lib/errors.ts';
import { DebianRegistry, USER, whyNoRegistry } from '../support/debian-registry.ts';
import { whyNoLayers } from '../support/image-bench.ts';
import { changeBase, withoutFraction, writeBase } from '../support/image-trees.ts';
import { compareTrees, makeRandomTree, readTree } from '../support/random-tree.ts';
import { RegistryBench } from '../support/registry-bench.ts';

const skip = whyNoLayers() || whyNoRegistry();

function code(expected: string): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.code, expected, error.message);
    return true;
  };
}

describe("pulling from and pushing to Debian's registry", { skip }, () => {
  const registry = new DebianRegistry();
  before(() => registry.start());
  after(() => registry[Symbol.asyncDispose]());

  it('brings any tree there and back, and moves nothing twice', async () => {
    await using here = await new RegistryBench().open();
    const name = `${registry.host}/team/tree:1`;
    const base = await here.step(undefined, (root) => makeRandomTree(root, { seed: 7, entries: 120 }), [name]);
    const facts = readTree(here.store.layersOf(base.id)[0]!.directory);
    const first = await here.client.push(name, { onProgress: here.onProgress });
    assert.ok(here.states().includes('uploaded'));
    assert.ok(here.store.get(name).repoDigests.includes(`${registry.host}/team/tree@${first.digest}`));
    here.transfers.length = 0;
    assert.deepEqual(await here.client.push(name, { onProgress: here.onProgress }), first);
    assert.deepEqual(here.states(), ['exists', 'preparing', 'waiting']);

    await using there = await new RegistryBench().open();
    const pulled = await there.client.pull(name, { onProgress: there.onProgress });
    assert.deepEqual([pulled.image.id, pulled.digest, pulled.isNew], [base.id, first.digest, true]);
    const actual = readTree(there.store.layersOf(base.id)[0]!.directory);
    assert.deepEqual(compareTrees(facts, actual, { times: 'seconds' }), []);
    assert.equal((await there.client.pull(name, {})).isNew, false);
    assert.equal((await there.client.pull(`${registry.host}/team/tree@${first.digest}`, {})).image.id, base.id);
    assert.deepEqual(there.contents()['uppers'], []);
  });

  it('fetches only layers that are not here, and mounts those that another repository has', async () => {
    await using here = await new RegistryBench().open();
    const one = `${registry.host}/mount/one:1`;
    const two = `${registry.host}/mount/two:1`;
    const base = await here.step(undefined, writeBase, [one]);
    const app = await here.step(base.id, changeBase, [two]);
    const tree = here.treeOf(app.id);
    await here.client.push(one, {});
    await here.client.push(two, { onProgress: here.onProgress });
    assert.ok(here.states().includes('mounted') && here.states().includes('uploaded'), String(here.states()));
    await using there = await new RegistryBench().open();
    await there.client.pull(one, {});
    const pulled = await there.client.pull(two, { onProgress: there.onProgress });
    assert.ok(there.states().includes('exists') && there.states().includes('unpacked'));
    assert.deepEqual(there.treeOf(pulled.image.id).map(withoutFraction), tree.map(withoutFraction));
  });

  it('names a layer uncompressed where the registry has it so', async () => {
    await using here = await new RegistryBench().open();
    const image = await here.step(undefined, (root) => writeFileSync(join(root, 'a'), 'a'), ['plain:1']);
    const name = `${registry.host}/plain:2`;
    const diffId = image.config.rootfs.diff_ids[0]!;
    const sink = new PassThrough();
    const [tar] = await Promise.all([buffer(sink), here.store.writeLayerTar(diffId, sink)]);
    const open = (offset: number): Readable => Readable.from([tar.subarray(offset)]);
    await here.client.pushBlob(name, { blob: { digest: diffId, sizeBytes: tar.length, open } });
    here.store.tag(image.id, name);
    await here.client.push(name, { onProgress: here.onProgress });
    assert.ok(!here.states().includes('uploading'));
    const { layers } = await here.client.resolve(name, {});
    assert.deepEqual(layers, [
      { mediaType: 'application/vnd.oci.image.layer.v1.tar', digest: diffId, size: tar.length },
    ]);
    await using there = await new RegistryBench().open();
    await there.client.pull(name, {});
  });

  it('takes what skopeo pushes, gzip and zstd, of both formats, and indexes; skopeo takes ours', async () => {
    await using here = await new RegistryBench().open();
    const fill = (root: string): void => {
      writeBase(root);
      writeFileSync(join(root, 'large'), randomBytes(3_000_000)); // several gzip members
    };
    const image = await here.step(undefined, fill, ['forms:1']);
    await here.save(['forms:1'], 'forms.tar');
    const tree = here.treeOf(image.id);
    const archive = `docker-archive:${here.path('forms.tar')}`;
    for (const [tag, ...options] of [
      ['docker', '--format=v2s2'],
      ['oci', '--format=oci'],
      ['zstd', '--format=oci', '--dest-compress', '--dest-compress-format=zstd'],
    ] as const) {
      const name = `${registry.host}/forms:${tag}`;
      execFileSync('skopeo', ['copy', '--dest-tls-verify=false', ...options, archive, `docker://${name}`], {
        stdio: 'pipe',
      });
      await using there = await new RegistryBench().open();
      const pulled = await there.client.pull(name, {});
      assert.deepEqual(there.treeOf(pulled.image.id).map(withoutFraction), tree.map(withoutFraction), tag);
    }
    here.store.tag(image.id, `${registry.host}/forms:ours`);
    await here.client.push(`${registry.host}/forms:ours`, {});
    const copy = `docker-archive:${here.path('copy.tar')}:copy:1`;
    execFileSync('skopeo', ['copy', '--src-tls-verify=false', `docker://${registry.host}/forms:ours`, copy], {
      stdio: 'pipe',
    });
    await using there = await new RegistryBench().open();
    const [copied] = await there.load(here.path('copy.tar'));
    assert.deepEqual(copied?.config.rootfs.diff_ids, image.config.rootfs.diff_ids);
    assert.deepEqual(await here.client.tags(`${registry.host}/forms`, {}), ['docker', 'oci', 'ours', 'zstd']);
  });

  it('chooses from an index by platform', async () => {
    await using here = await new RegistryBench().open();
    const name = `${registry.host}/multi`;
    const manifests = [];
    for (const [architecture, variant] of [['s390x'], ['arm', 'v6'], ['amd64']] as const) {
      const image = await here.step(undefined, (root) => writeFileSync(join(root, 'a'), architecture));
      const config = { ...image.config, architecture, ...(variant && { variant }) };
      const own = await here.store.register({ config, references: [`${name}:${architecture}`] });
      const { digest, sizeBytes } = await here.client.push(`${name}:${architecture}`, {});
      const platform = { os: 'linux', architecture, ...(variant && { variant }) };
      manifests.push({
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest,
        size: sizeBytes,
        platform,
        own,
      });
    }
    const index = {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: manifests.map(({ own: _, ...descriptor }) => descriptor),
    };
    const bytes = Buffer.from(JSON.stringify(index));
    const digest = await here.client.pushManifest(`${name}:all`, { mediaType: index.mediaType, bytes });
    await using there = await new RegistryBench().open();
    const arm = await there.client.pull(`${name}:all`, {
      platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
    });
    assert.deepEqual([arm.image.id, arm.digest], [manifests[1]?.own.id, digest]);
    const resolved = await there.client.resolve(`${name}:all`, { platform: { os: 'linux', architecture: 'amd64' } });
    assert.equal(resolved.config.descriptor.digest, manifests[2]?.own.id);
    assert.equal(resolved.platforms.length, 3);
    const riscv = { os: 'linux', architecture: 'riscv64' };
    await assert.rejects(there.client.pull(`${name}:all`, { platform: riscv }), code('platform-unknown'));
    await assert.rejects(there.client.pull(`${name}:amd64`, { platform: riscv }), code('platform-unknown'));
  });

  it('says what is not there', async () => {
    await using here = await new RegistryBench().open();
    await assert.rejects(here.client.pull(`${registry.host}/nothing:1`, {}), code('manifest-unknown'));
    await assert.rejects(here.client.tags(`${registry.host}/nothing`, {}), code('manifest-unknown'));
    await assert.rejects(here.client.push(`${registry.host}/nothing:1`, {}), code('image-not-found'));
    await assert.rejects(here.client.pull('127.0.0.1:1/x:1', {}), code('registry-unreachable'));
    await assert.rejects(here.client.pull(`${registry.host}/UPPER`, {}), code('invalid-reference'));
  });
});

describe('a registry that wants to know who asks', { skip }, () => {
  for (const auth of ['basic', 'token'] as const) {
    it(`by ${auth} authentication`, async () => {
      await using registry = await new DebianRegistry(auth).start();
      await using here = await new RegistryBench().open();
      const credential = { kind: 'password', ...USER } as const;
      const wrong = { ...credential, password: 'wrong' };
      const name = `${registry.host}/private/a:1`;
      await here.step(undefined, writeBase, [name]);
      await assert.rejects(here.client.push(name, {}), code('registry-denied'));
      await assert.rejects(here.client.push(name, { credential: wrong }), code('registry-denied'));
      await here.client.push(name, { credential });
      await assert.rejects(here.client.pull(name, {}), code('registry-denied'));
      const { isNew } = await here.client.pull(name, { credential });
      assert.equal(isNew, false);
      await assert.rejects(here.client.login(registry.host, { credential: wrong }), code('registry-denied'));
      const login = await here.client.login(registry.host, { credential });
      if (auth === 'basic') return assert.deepEqual(login, {});
      const token = login.identityToken!;
      assert.equal(token, registry.tokens.refreshToken);
      registry.tokens.requests.length = 0;
      await here.client.pull(name, { credential: { kind: 'identity-token', token } });
      assert.match(registry.tokens.requests.join(), /grant_type=refresh_token/);
      await using other = await new RegistryBench({ findCredential: async () => credential }).open();
      await other.client.pull(name, {});
    });
  }
});
