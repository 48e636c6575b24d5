import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { after, before, beforeEach, describe, it } from 'node:test';
import { type BuildBench, type Built, openBuildBench } from '../support/build-bench.ts';
import { compareTrees, readTree, type Tree } from '../support/tree-facts.ts';
import { waitFor } from '../support/wait.ts';

const skip = process.getuid?.() === 0 ? false : 'it needs root';
const DOCKERFILE = 'FROM scratch\nCOPY . /app/\n';
const FOLDERS = 4;
const FILES_EACH = 55;

/** So many files that they are made as the layer is sealed. */
describe('COPY of many files', { skip, timeout: 540_000 }, () => {
  let bench: BuildBench;
  let context: string;
  /** Each test has files of its own: else it finds the results of the others. */
  let tests = 0;
  before(async () => void (bench = await openBuildBench()));
  after(async () => await bench?.[Symbol.asyncDispose]());

  beforeEach(() => {
    tests++;
    context = bench.context({ '.dockerignore': 'ignored\n' });
    for (let folder = 0; folder < FOLDERS; folder++) {
      mkdirSync(join(context, `folder-${folder}`, 'sub'), { recursive: true });
      for (let file = 0; file < FILES_EACH; file++)
        writeFileSync(join(context, `folder-${folder}`, 'sub', `file-${file}`), `content ${tests} ${folder} ${file}`);
    }
  });

  /** A file that was just written could be written again without its times telling: its digest is not remembered. */
  async function settled(): Promise<void> {
    const writtenAt = Date.now();
    await waitFor(() => Date.now() > writtenAt + 300, { timeoutMs: 10_000, what: 'files are older than a moment' });
  }

  function build(o: { dockerfileText?: string; by?: Parameters<BuildBench['build']>[0]['by'] } = {}): Promise<Built> {
    const { by, dockerfileText = DOCKERFILE } = o;
    return bench.build({ context: { kind: 'directory', path: context }, dockerfileText, ...(by && { by }) });
  }

  /** The folder of the image's uppermost layer. Its bytes are those of its digest. */
  async function layerOf({ image }: Built): Promise<string> {
    const layer = bench.images.layersOf(image.id).at(-1)!;
    const archive = new PassThrough();
    archive.resume();
    await bench.images.writeLayerTar(layer.diffId, archive);
    return layer.directory;
  }

  function expectSame(layer: string): void {
    const expected = new Map([...readTree(context)].filter(([path]) => path !== ''));
    const actual: Tree = new Map([...readTree(join(layer, 'app'))].filter(([path]) => path !== ''));
    const differences = compareTrees(expected, actual, {
      times: 'nanoseconds',
      expect: (facts) => ({ ...facts, owner: '0:0' }),
    });
    assert.deepEqual(differences, []);
  }

  const inodeOf = (layer: string, path: string): number => lstatSync(join(layer, 'app', path)).ino;
  const textOf = (layer: string, path: string): string => readFileSync(join(layer, 'app', path), 'utf8');

  it('keeps all that files are', async () => {
    const folder = join(context, 'folder-1');
    chmodSync(join(folder, 'sub/file-1'), 0o4751);
    utimesSync(join(folder, 'sub/file-2'), 1_000, -5.25);
    symlinkSync('../nowhere', join(folder, 'link'));
    linkSync(join(folder, 'sub/file-3'), join(folder, 'another-name'));
    linkSync(join(folder, 'sub/file-3'), join(folder, 'sub/third-name'));
    writeFileSync(Buffer.from(`${folder}/\xff\xfe`, 'latin1'), 'no text');
    writeFileSync(join(folder, '-rf *'), 'odd');
    writeFileSync(join(folder, 'large'), Buffer.alloc(2_500_000, 'x'));
    writeFileSync(join(folder, 'empty'), '');
    execFileSync('setfattr', ['--name', 'user.colour', '--value', 'blue', join(folder, 'sub/file-4')]);
    const built = await build();
    expectSame(await layerOf(built));
  });

  it('are right beside those that go one by one, and without what is below', async () => {
    const over = await build({ dockerfileText: 'FROM scratch\nWORKDIR /app/folder-1\nCOPY . /app/\n' });
    await layerOf(over);
    expectSame(mergedOf(over));
    const empty = await build({ dockerfileText: 'FROM scratch\nWORKDIR /app\nCOPY . /app/\n' });
    expectSame(await layerOf(empty));
    expectSame(await layerOf(await build({ dockerfileText: 'FROM scratch\nCOPY --link . /app/\n' })));
  });

  /** Layers of plain new files over each other. */
  function mergedOf({ image }: Built): string {
    const merged = join(bench.root, `merged-${tests}`);
    mkdirSync(merged);
    for (const { directory } of bench.images.layersOf(image.id)) execFileSync('cp', ['-a', `${directory}/.`, merged]);
    return merged;
  }

  it('finds nothing to do where nothing changed, and all that changed', async () => {
    await settled();
    const first = await build();
    assert.deepEqual(first.executed.length, 1);
    const again = await build({ by: bench.reopenBuilder() });
    assert.deepEqual(again.executed, []);
    assert.equal(again.image.id, first.image.id);
    const path = join(context, 'folder-2/sub/file-7');
    const { atime, mtime, size } = statSync(path);
    writeFileSync(path, `CONTENT ${tests} 2 7`);
    utimesSync(path, atime, mtime);
    assert.equal(statSync(path).size, size);
    const changed = await build();
    assert.equal(textOf(await layerOf(changed), 'folder-2/sub/file-7'), `CONTENT ${tests} 2 7`);
  });

  it('sees each of many changes in a moment', async () => {
    const path = join(context, 'folder-0/sub/file-0');
    for (let round = 0; round < 5; round++) {
      writeFileSync(path, `round ${round}`);
      assert.equal(textOf(await layerOf(await build()), 'folder-0/sub/file-0'), `round ${round}`);
    }
  });

  it('takes ignored and touched files for what they are', async () => {
    await settled();
    const first = await build();
    writeFileSync(join(context, 'ignored'), 'nothing');
    utimesSync(join(context, 'folder-3/sub/file-3'), 5, 5);
    await settled();
    for (let round = 0; round < 2; round++) assert.deepEqual((await build()).executed, []);
    rmSync(join(context, '.dockerignore'));
    const other = await build();
    assert.equal(textOf(await layerOf(other), 'ignored'), 'nothing');
    assert.notEqual(other.image.id, first.image.id);
  });

  it('shares files with the layer before, and only those that are the same in all things', async () => {
    await settled();
    const earlier = await layerOf(await build());
    const of = (name: string): string => join(context, 'folder-1/sub', name);
    appendFileSync(of('file-1'), ' and more');
    chmodSync(of('file-2'), 0o600);
    utimesSync(of('file-3'), 7, 7);
    renameSync(of('file-4'), of('file-5'));
    rmSync(of('file-6'));
    linkSync(of('file-7'), of('file-7-too'));
    const later = await layerOf(await build());
    expectSame(later);
    const isShared = (path: string): boolean => inodeOf(earlier, path) === inodeOf(later, path);
    assert.equal(isShared('folder-2/sub/file-1'), true);
    for (const number of [1, 2, 3, 5, 7])
      assert.equal(isShared(`folder-1/sub/file-${number}`), false, `file-${number}`);
    // A file that was one with another, and is not any more.
    rmSync(of('file-7-too'));
    execFileSync('cp', ['--preserve=all', of('file-7'), of('file-7-too')]);
    linkSync(of('file-8'), join(bench.root, `elsewhere-${tests}`));
    appendFileSync(of('file-9'), ' and more'); // names alone make no other result
    await settled();
    const last = await layerOf(await build());
    expectSame(last);
    assert.notEqual(inodeOf(last, 'folder-1/sub/file-7'), inodeOf(last, 'folder-1/sub/file-7-too'));
    assert.equal(inodeOf(last, 'folder-1/sub/file-8'), inodeOf(later, 'folder-1/sub/file-8'));
    assert.equal(textOf(earlier, 'folder-1/sub/file-1'), `content ${tests} 1 1`);
  });

  it('shares nothing with a layer that is gone, or whose record is damaged', async () => {
    await settled();
    const first = await layerOf(await build());
    const records = join(bench.scope.root, 'engine/build/copies');
    const paths = readdirSync(records).map((each) => join(records, each));
    const [name] = paths.toSorted((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
    const record = readFileSync(name!);
    writeFileSync(name!, record.subarray(0, record.length - 100));
    appendFileSync(join(context, 'folder-1/sub/file-1'), 'x');
    const second = await layerOf(await build());
    assert.notEqual(inodeOf(second, 'folder-2/sub/file-2'), inodeOf(first, 'folder-2/sub/file-2'));
    for (const image of bench.images.list()) await bench.images.remove(image.id, { force: true, usersOf: () => [] });
    await bench.builder.pruneCache({ all: true });
    appendFileSync(join(context, 'folder-1/sub/file-1'), 'y');
    expectSame(await layerOf(await build()));
  });

  it('leaves nothing when it is cancelled at any moment', async () => {
    for (const delayMs of [0, 20, 60, 150]) await cancelAfter(delayMs);
  });

  async function cancelAfter(delayMs: number): Promise<void> {
    const cancel = new AbortController();
    const building = bench.build({
      context: { kind: 'directory', path: context },
      dockerfileText: DOCKERFILE,
      noCache: true,
      signal: cancel.signal,
      onProgress: ({ kind }) => void (kind === 'step-started' && setTimeout(() => cancel.abort(), delayMs)),
    });
    const outcome = await building.then(
      () => 'built', // it was quicker
      (error: { code?: string }) => error.code,
    );
    assert.equal(outcome === 'built' ? 'build-cancelled' : outcome, 'build-cancelled');
    assert.deepEqual(bench.mountsLeft(), []);
    assert.deepEqual(readdirSync(join(bench.scope.root, 'engine/uppers')), []);
  }
});
