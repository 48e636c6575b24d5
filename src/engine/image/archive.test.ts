import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UserError } from '../../lib/errors.ts';
import { digestOf } from '../../lib/oci/index.ts';
import { parseArchivedConfig, readArchiveContents } from './archive-contents.ts';
import { overlayMountArgv, overlayOptions } from './overlay-argv.ts';
import { planSave, type SavedImage } from './save-plan.ts';
import { historyOf } from './history.ts';

const layer = { diffId: digestOf('layer'), tarBytes: 1024 };
const image: SavedImage = {
  configBytes: Buffer.from('{"os":"linux"}'),
  layers: [layer, layer],
  references: ['app:1', 'localhost:5000/x:2'],
};

describe('save', () => {
  it('writes an archive that reads the same as a docker-archive and as an OCI layout', async () => {
    const members = planSave([image, { ...image, configBytes: Buffer.from('{}'), references: [] }]);
    const files = new Map(
      members.map((member) => [member.name, member.kind === 'bytes' ? member.bytes : Buffer.alloc(0)]),
    );
    const docker = await readArchiveContents(async (name) => files.get(name), 'amd64');
    files.delete('manifest.json');
    const oci = await readArchiveContents(async (name) => files.get(name), 'amd64');
    assert.deepEqual(
      docker.map((each) => each.references),
      [['app:1', 'localhost:5000/x:2'], []],
    );
    assert.deepEqual(
      oci.map((each) => each.references),
      [['app:1'], ['localhost:5000/x:2'], []],
    );
    assert.deepEqual(new Set(oci.map((each) => each.config.digest)), new Set(docker.map((each) => each.config.digest)));
    assert.deepEqual(
      docker[0]?.layers.map((each) => each.digest),
      [layer.diffId, layer.diffId],
    );
  });

  it('has documents about images beside them, which readers of images leave alone', async () => {
    const attachment = { artifactType: 'application/vnd.cyclonedx+json', annotations: {}, content: Buffer.from('{}') };
    const members = planSave([{ ...image, attachments: [attachment] }]);
    const files = new Map(
      members.map((member) => [member.name, member.kind === 'bytes' ? member.bytes : Buffer.alloc(0)]),
    );
    files.delete('manifest.json');
    const { manifests } = JSON.parse(files.get('index.json')!.toString()) as {
      readonly manifests: readonly { readonly digest: string; readonly artifactType?: string }[];
    };
    const document = manifests.find(({ artifactType }) => artifactType === attachment.artifactType);
    const referrer = JSON.parse(files.get(`blobs/sha256/${document?.digest.slice(7)}`)!.toString()) as {
      readonly subject: { readonly digest: string };
    };
    assert.equal(referrer.subject.digest, manifests[0]?.digest);
    const read = await readArchiveContents(async (name) => files.get(name), 'amd64');
    assert.deepEqual(
      read.map(({ references }) => references),
      [['app:1'], ['localhost:5000/x:2']],
    );
  });

  it('has each blob once', () => {
    const names = planSave([image, image]).map((member) => member.name);
    assert.equal(new Set(names).size, names.length);
  });
});

describe('archive contents', () => {
  const broken: Readonly<Record<string, Readonly<Record<string, string>>>> = {
    'no image at all': { 'x.txt': 'x' },
    'a manifest that is not JSON': { 'manifest.json': '{' },
    'a manifest of another shape': { 'manifest.json': '{"Config": 1}' },
    'an index that names a missing manifest': {
      'index.json': JSON.stringify({ manifests: [{ mediaType: 'x', digest: digestOf('x'), size: 1 }] }),
    },
    'a digest that is none': {
      'index.json': JSON.stringify({ manifests: [{ mediaType: 'x', digest: 'sha256:../x', size: 1 }] }),
    },
  };
  for (const [what, files] of Object.entries(broken)) {
    it(`refuses ${what}`, async () => {
      const read = async (name: string) => (files[name] === undefined ? undefined : Buffer.from(files[name]));
      await assert.rejects(readArchiveContents(read, 'amd64'), isCode('archive-invalid'));
    });
  }

  it('refuses a configuration that does not fit its manifest, and other systems', () => {
    const config = (value: object): Buffer => Buffer.from(JSON.stringify(value));
    const rootfs = { type: 'layers', diff_ids: [digestOf('a')] };
    assert.deepEqual(parseArchivedConfig(config({ os: 'linux', rootfs }), 1).diffIds, [digestOf('a')]);
    assert.throws(() => parseArchivedConfig(config({ os: 'linux', rootfs }), 2), isCode('archive-invalid'));
    assert.throws(() => parseArchivedConfig(config({ os: 'windows', rootfs }), 1), isCode('image-os-unsupported'));
    const hostile = [
      ...[{ created: 'never' }, { created: 7 }, { history: 5 }, { history: [{ created: 'x' }] }, { config: 'x' }],
      ...[{ config: { Labels: 5 } }, { config: { Labels: { a: {} } } }, { config: { Env: { A: 'b' } } }],
      ...[{ config: { Cmd: [1] } }, { config: { Entrypoint: 'sh' } }, { config: { WorkingDir: [] } }],
    ];
    for (const changes of hostile)
      assert.throws(
        () => parseArchivedConfig(config({ os: 'linux', rootfs, ...changes }), 1),
        isCode('archive-invalid'),
      );
    const empty = { created: null, history: null, config: { Env: null, Labels: null, Cmd: null, Volumes: null } };
    assert.equal(parseArchivedConfig(config({ os: 'linux', rootfs, ...empty }), 1).diffIds.length, 1);
  });
});

describe('overlay mount', () => {
  it('names 100 layers in less than a page of options, however deep the store lies', () => {
    const lower = Array.from(
      { length: 100 },
      (_, index) => `/${'deep/'.repeat(40)}layers/${String(index).padStart(10, '0')}`,
    );
    const argv = overlayMountArgv({ lower, upper: '/u/upper', work: '/u/work', target: '/t' });
    const options = argv[argv.indexOf('-o') + 1]!;
    assert.ok(options.length < 4096, `${options.length} bytes`);
    assert.match(options, /^lowerdir=0000000099:.*:0000000000,upperdir=\/u\/upper,workdir=\/u\/work,/);
  });

  it('binds what is no stack', () => {
    assert.deepEqual(overlayMountArgv({ lower: [], upper: '/u', work: '/w', target: '/t' }), [
      'mount',
      '--bind',
      '/u',
      '/t',
    ]);
    assert.deepEqual(overlayMountArgv({ lower: ['/l/a'], target: '/t' }), ['mount', '-o', 'bind,ro', '/l/a', '/t']);
  });

  it('escapes what would end a path', () => {
    const argv = overlayMountArgv({ lower: ['/s/a:b', '/s/c,d'], target: '/t' });
    assert.match(argv.join(' '), /lowerdir=c\\,d:a\\:b,/);
  });

  it('has the same options for a system call, with whole paths', () => {
    const overlay = { lower: ['/s/a:b', '/s/c', '/s/c'], upper: '/u', work: '/w', target: '/t' };
    const off = 'index=off,redirect_dir=off,metacopy=off';
    assert.equal(overlayOptions(overlay), `lowerdir=/s/c:/s/a\\:b,upperdir=/u,workdir=/w,${off}`);
    assert.equal(
      overlayOptions({ ...overlay, isVolatile: true }, '/s'),
      `lowerdir=c:a\\:b,upperdir=/u,workdir=/w,${off},volatile`,
    );
  });
});

describe('history', () => {
  it('is newest first, sizes go to steps with a layer, ids to images that are known', () => {
    const config = {
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers' as const, diff_ids: [digestOf('a'), digestOf('b')] },
      history: [{ created_by: 'one' }, { created_by: 'two', empty_layer: true }, { created_by: 'three' }],
    };
    const parent = { id: digestOf('parent'), references: ['p:1'], steps: 1, parent: undefined };
    const image = { id: digestOf('image'), references: [], steps: 3, parent };
    const rows = historyOf(config, { image, layerSizes: [10, 20] });
    assert.deepEqual(
      rows.map((row) => [row.createdBy, row.sizeBytes, row.id]),
      [
        ['three', 20, digestOf('image')],
        ['two', 0, '<missing>'],
        ['one', 10, digestOf('parent')],
      ],
    );
  });
});

function isCode(code: string) {
  return (error: unknown): boolean => error instanceof UserError && error.code === code;
}
