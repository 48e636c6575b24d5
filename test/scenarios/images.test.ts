import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort } from '../support/free-port.ts';
import { type Machine, openMachine } from '../support/machine.ts';

interface Listed {
  readonly id: string;
  readonly references: readonly string[];
}

describe('the life of images', { timeout: 540_000 }, () => {
  let machine: Machine;
  let registry: string;
  const lines = async (...words: string[]): Promise<readonly string[]> =>
    (await machine.must(words)).stdout.split('\n').filter((line) => line !== '');
  const listed = async (...words: string[]): Promise<readonly Listed[]> =>
    JSON.parse((await machine.must(['images', '--json', ...words])).stdout) as readonly Listed[];
  const names = async (...words: string[]): Promise<readonly string[]> =>
    (await listed(...words)).flatMap(({ references }) => references).toSorted();

  before(async () => {
    machine = await openMachine();
    registry = `127.0.0.1:${await freePort()}`;
    await machine.must(['daemon', 'config', 'set', 'registry.listen', registry]);
    await machine.must(['daemon', 'restart']);
    machine.write({
      Dockerfile:
        'FROM busybox\nLABEL team=blue\nRUN echo one > /one && echo two > /two\nRUN rm /one\nCOPY left-pad.json /app/node_modules/left-pad/package.json\n',
      'notes.txt': 'no archive',
      'left-pad.json': '{"name": "left-pad", "version": "1.3.0", "license": "WTFPL"}',
    });
    await machine.must(['image', 'build', '-t', 'shop/web:1', '--sbom', '.']);
  });
  after(() => machine[Symbol.asyncDispose]());

  it('lists them by name, label, age and state, as tables, ids and JSON', async () => {
    assert.deepEqual(await names(), ['busybox:latest', 'shop/web:1']);
    assert.deepEqual(await names('shop/*'), ['shop/web:1']);
    assert.deepEqual(await names('--filter', 'label=team=blue'), ['shop/web:1']);
    assert.deepEqual(await names('--filter', 'before=shop/web:1'), ['busybox:latest']);
    assert.deepEqual(await names('--filter', 'since=busybox'), ['shop/web:1']);
    assert.deepEqual(await names('--filter', 'dangling=true'), []);
    const [id = ''] = await lines('images', '-q', 'shop/web');
    assert.match(id, /^[0-9a-f]{12}$/);
    assert.match((await lines('images', '--digests', '--no-trunc', 'shop/web')).join('\n'), /DIGEST.*\n.*sha256:/);
    const refused = await machine.run(['images', '--filter', 'colour=red']);
    assert.equal(refused.exitCode, 2);
    assert.match(refused.stderr, /colour/);
  });

  it('tells the steps, names and removes', async () => {
    assert.match((await lines('image', 'history', 'shop/web:1')).join('\n'), /RUN|rm \/one/);
    await machine.must(['image', 'tag', 'shop/web:1', 'shop/web:stable']);
    assert.deepEqual(await names('shop/web'), ['shop/web:1', 'shop/web:stable']);
    await machine.must(['image', 'rm', 'shop/web:stable']);
    assert.deepEqual(await names('shop/web'), ['shop/web:1']);
    assert.equal((await machine.run(['image', 'history', 'nobody/knows'])).exitCode, 3);
    assert.equal((await machine.run(['image', 'tag', 'shop/web:1', 'NOT A NAME'])).exitCode, 2);
  });

  it('shows what each layer carries in vain', async () => {
    const { Bascule: details, Id } = await machine.json<{
      readonly Id: string;
      readonly Bascule: {
        readonly wastedBytes: number;
        readonly layers: readonly {
          readonly createdBy: string;
          readonly wastedBytes: number;
          readonly wasted: unknown;
        }[];
      };
    }>(['image', 'inspect', 'shop/web:1']);
    assert.match(Id, /^sha256:/);
    assert.equal(details.wastedBytes, 'one\n'.length);
    assert.deepEqual(
      details.layers.map(({ wastedBytes }) => wastedBytes),
      [0, 'one\n'.length, 0, 0],
    );
    assert.deepEqual(details.layers[1]?.wasted, [{ path: 'one', bytes: 4, layer: 3 }]);
    const text = (await lines('image', 'inspect', '--text', 'shop/web:1')).join('\n');
    assert.match(text, /^shop\/web:1\n/);
    assert.match(text, /\/one: layer 2, gone in layer 3/);
    assert.equal((await machine.run(['image', 'inspect', 'nobody/knows'])).exitCode, 3);
  });

  it('knows how an image was built', async () => {
    const statement = await machine.json<{ readonly predicateType: string; readonly predicate: unknown }>([
      ...['image', 'provenance', 'shop/web:1'],
    ]);
    assert.equal(statement.predicateType, 'https://slsa.dev/provenance/v1');
    const text = JSON.stringify(statement);
    assert.match(text, /FROM busybox\\nLABEL team=blue/);
    assert.match(text, /docker-image:\/\/docker.io\/library\/busybox:latest/);
    assert.match(
      (await lines('image', 'inspect', '--text', 'shop/web:1')).join('\n'),
      /documents +SBOM \(CycloneDX\), provenance/,
    );
    assert.equal((await machine.run(['image', 'provenance', 'busybox'])).exitCode, 3);
  });

  it('lists the packages in an image', async () => {
    const bom = await machine.json<{ readonly components: readonly { readonly purl: string }[] }>([
      ...['image', 'sbom', 'shop/web:1'],
    ]);
    assert.deepEqual(
      bom.components.map(({ purl }) => purl),
      ['pkg:npm/left-pad@1.3.0'],
    );
    await machine.must(['image', 'sbom', 'shop/web:1', '--format', 'spdx-json', '-o', 'web.spdx.json']);
    assert.match(readFileSync(join(machine.folder, 'web.spdx.json'), 'utf8'), /"SPDX-2.3"[^]*pkg:npm\/left-pad@1.3.0/);
    assert.equal((await machine.run(['image', 'sbom', 'shop/web:1', '--format', 'xml'])).exitCode, 2);
  });

  it('pushes what is known of an image with it', async () => {
    const name = `${registry}/shop/web:1`;
    await machine.must(['image', 'tag', 'shop/web:1', name]);
    await machine.must(['image', 'push', name]);
    const blobs = `http://${registry}/v2/shop/web`;
    const { headers } = await fetch(`${blobs}/manifests/1`, {
      headers: { accept: 'application/vnd.oci.image.manifest.v1+json' },
    });
    const digest = headers.get('docker-content-digest') ?? '';
    const { manifests } = (await (await fetch(`${blobs}/referrers/${digest}`)).json()) as {
      readonly manifests: readonly { readonly artifactType: string; readonly digest: string }[];
    };
    assert.deepEqual(manifests.map(({ artifactType }) => artifactType).toSorted(), [
      'application/vnd.cyclonedx+json',
      'application/vnd.in-toto+json',
    ]);
    const found = manifests.find(({ artifactType }) => artifactType.includes('in-toto'))?.digest;
    const { layers } = (await (await fetch(`${blobs}/manifests/${found}`)).json()) as {
      readonly layers: readonly { readonly digest: string }[];
    };
    const statement = (await (await fetch(`${blobs}/blobs/${layers[0]?.digest}`)).json()) as {
      readonly subject: readonly { readonly digest: { readonly sha256: string } }[];
    };
    assert.equal(statement.subject[0]?.digest.sha256, digest.replace('sha256:', ''));
    await machine.must(['image', 'rm', name]);
  });

  it('saves what is known of an image with it', async () => {
    await machine.must(['image', 'save', '--documents', '-o', 'documented.tar', 'shop/web:1']);
    const index = execFileSync('tar', ['--extract', '--to-stdout', '--file=documented.tar', 'index.json'], {
      cwd: machine.folder,
      encoding: 'utf8',
    });
    const { manifests } = JSON.parse(index) as { readonly manifests: readonly { readonly artifactType?: string }[] };
    assert.deepEqual(
      manifests.map(({ artifactType = 'image' }) => artifactType),
      ['image', 'application/vnd.cyclonedx+json', 'application/vnd.in-toto+json'],
    );
    assert.deepEqual(await lines('image', 'load', '-q', '-i', 'documented.tar'), ['shop/web:1']);
  });

  it('saves and loads: the same image comes back', async () => {
    const [before] = await listed('shop/web');
    await machine.must(['image', 'save', '-o', 'web.tar', 'shop/web:1']);
    await machine.must(['image', 'rm', 'shop/web:1']);
    assert.deepEqual(await lines('image', 'load', '-i', 'web.tar'), ['Loaded image: shop/web:1']);
    assert.deepEqual((await listed('shop/web'))[0]?.id, before?.id);
    const broken = await machine.run(['image', 'load', '-i', 'notes.txt']);
    assert.equal(broken.exitCode, 2, broken.stderr);
    assert.equal((await machine.run(['image', 'load', '-i', 'nothing.tar'])).exitCode, 3);
    const unknown = await machine.run(['image', 'save', '-o', 'unknown.tar', 'nobody/knows']);
    assert.equal(unknown.exitCode, 3, unknown.stderr);
    assert.ok(!existsSync(join(machine.folder, 'unknown.tar')));
    assert.deepEqual(
      readdirSync(machine.folder).filter((name) => name.includes('partial')),
      [],
    );
  });

  it('takes the files of a container out, and makes images of them', async () => {
    machine.write({
      'compose.yaml':
        'x-bascule: {read_only: false}\nservices:\n  web:\n    image: shop/web:1\n    command: ["sleep", "1000"]\n    init: true\n',
    });
    await machine.must(['deploy']);
    await machine.must(['exec', 'web', 'sh', '-c', 'echo three > /three']);
    const ps = JSON.parse((await machine.must(['ps', '--json'])).stdout) as { instances: { name: string }[] };
    const container = ps.instances[0]?.name ?? '';
    await machine.must(['image', 'export', container, '-o', 'files.tar']);
    const [imported = ''] = await lines('image', 'import', 'files.tar', 'flat:1', '-c', 'CMD ["cat", "/three"]');
    assert.equal((await listed('flat'))[0]?.id, imported);
    const [committed = ''] = await lines('image', 'commit', container, 'shop/web:fixed', '-m', 'by hand');
    assert.equal((await listed('shop/web:fixed'))[0]?.id, committed);
    assert.match((await lines('image', 'history', 'shop/web:fixed'))[1] ?? '', /by hand$/);
    assert.equal((await machine.run(['image', 'commit', 'nobody'])).exitCode, 3);
  });

  it('deletes what is unused, and never what a release needs', async () => {
    await machine.must(['image', 'rm', 'flat:1']);
    assert.equal((await machine.run(['image', 'prune', '--all'])).exitCode, 2, 'it asks for --yes');
    const pruned = JSON.parse((await machine.must(['image', 'prune', '-a', '--yes', '--json'])).stdout) as {
      readonly removed: readonly { readonly references: readonly string[] }[];
      readonly freedBytes: number;
    };
    assert.deepEqual(pruned.removed.flatMap(({ references }) => references).toSorted(), [
      'busybox:latest',
      'shop/web:fixed',
    ]);
    assert.ok(pruned.freedBytes > 0);
    assert.ok((await names()).includes('shop/web:1'));
    await machine.must(['down']);
  });
});
