import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { UserError } from '../../src/lib/errors.ts';
import { chainIdOf, digestOf, type Digest } from '../../src/lib/oci/index.ts';
import { configOf, EMPTY, ImageBench, whyNoLayers } from '../support/image-bench.ts';
import { changeBase, describeTree, writeBase } from '../support/image-trees.ts';

const skip = whyNoLayers();
const nobodyUses = { force: false, usersOf: () => [] };

describe('image store', { skip }, () => {
  it('seals what a real overlay mount left, and mounts it again the same', async () => {
    await using bench = await new ImageBench().open();
    const base = await bench.step(undefined, writeBase);
    let expected: readonly string[] = [];
    const changed = await bench.step(base.id, (root) => {
      changeBase(root);
      expected = describeTree(root);
    });
    assert.deepEqual(bench.treeOf(changed.id), expected);
    assert.ok(!expected.some((line) => line.includes('/old')), 'what was deleted does not shine through');
  });

  it('keeps equal layers once, and says when nothing was written', async () => {
    await using bench = await new ImageBench().open();
    const write = (root: string): void => {
      writeFileSync(join(root, 'a'), 'a');
      execFileSync('touch', ['-d', '@1000', join(root, 'a')]);
    };
    const first = await bench.step(undefined, write);
    const second = await bench.step(undefined, write);
    assert.deepEqual(second.config.rootfs.diff_ids, first.config.rootfs.diff_ids);
    assert.equal(bench.contents()['layers']?.length, 1);
    const upper = await bench.store.newUpper();
    assert.equal(await bench.store.isEmpty(upper), true);
    bench.unmount(bench.mount(first.id, upper));
    assert.equal(await bench.store.isEmpty(upper), true);
    writeFileSync(join(upper.directory, 'x'), '');
    assert.equal(await bench.store.isEmpty(upper), false);
    await bench.store.discard(upper);
    assert.deepEqual(bench.contents()['uppers'], []);
  });

  it('mounts a hundred layers', async () => {
    await using bench = await new ImageBench().open();
    const diffIds: Digest[] = [];
    for (let index = 0; index < 100; index++) {
      const upper = await bench.store.newUpper();
      writeFileSync(join(upper.directory, `f${index}`), String(index));
      diffIds.push((await bench.store.seal(upper)).diffId);
    }
    const image = await bench.store.register({ config: configOf(diffIds) });
    const upper = await bench.store.newUpper();
    const root = bench.mount(image.id, upper);
    assert.equal(readdirSync(root).length, 100);
    bench.unmount(root);
  });

  it('seals thousands of files without holding up the event loop', async () => {
    await using bench = await new ImageBench().open();
    const upper = await bench.store.newUpper();
    for (let index = 0; index < 5_000; index++) writeFileSync(join(upper.directory, `f${index}`), `content ${index}`);
    let turns = 0;
    const timer = setInterval(() => (turns += 1), 1);
    await bench.store.seal(upper);
    clearInterval(timer);
    assert.ok(turns > 5, `${turns} turns`);
  });

  it('refuses an image of layers that are not there', async () => {
    await using bench = await new ImageBench().open();
    await assert.rejects(bench.store.register({ config: configOf([digestOf('x')]) }), isCode('layer-not-found'));
  });
});

describe('names', { skip }, () => {
  it("finds by tag, id and beginning of an id, and misses in Docker's words", async () => {
    await using bench = await new ImageBench().open();
    const image = await bench.step(undefined, (root) => writeFileSync(join(root, 'a'), 'a'), ['app']);
    const hex = image.id.slice('sha256:'.length);
    for (const name of [
      'app',
      'app:latest',
      'docker.io/library/app',
      image.id,
      hex,
      hex.slice(0, 6),
      image.id.slice(0, 20),
    ]) {
      assert.equal(bench.store.find(name)?.id, image.id, name);
    }
    assert.equal(bench.store.find('app:2'), undefined);
    assert.throws(() => bench.store.get('nope'), { message: 'No such image: nope:latest' });
    assert.throws(() => bench.store.get('nope:3'), { message: 'No such image: nope:3' });
    bench.store.addRepoDigest(image.id, `localhost:5000/app@${digestOf('m')}`);
    assert.equal(bench.store.get(`localhost:5000/app@${digestOf('m')}`).id, image.id);
    assert.deepEqual(bench.store.get('app').repoDigests, [`localhost:5000/app@${digestOf('m')}`]);
  });

  it('moves a tag to another image, and leaves nothing of an image that was removed', async () => {
    await using bench = await new ImageBench().open();
    const one = await bench.step(undefined, (root) => writeFileSync(join(root, 'a'), '1'), ['app:1']);
    const two = await bench.step(undefined, (root) => writeFileSync(join(root, 'a'), '2'), ['app:1']);
    assert.deepEqual(bench.store.get(one.id).references, []);
    assert.deepEqual(await bench.store.remove('app:1', nobodyUses), [
      { untagged: 'app:1' },
      { deleted: two.id },
      { deleted: chainIdOf(two.config.rootfs.diff_ids) },
    ]);
    const pruned = await bench.store.prune({ danglingOnly: true, usersOf: () => [] });
    assert.deepEqual(pruned.removed, [{ deleted: one.id }, { deleted: chainIdOf(one.config.rootfs.diff_ids) }]);
    assert.equal(pruned.freedBytes, 1);
    assert.deepEqual(bench.contents(), EMPTY);
    assert.deepEqual(
      bench.events.map((event) => `${event.kind} ${event.name}`),
      ['tag app:1', 'tag app:1', 'untag app:1', `delete ${two.id}`, `delete ${one.id}`],
    );
  });

  it('prunes everything where nothing is used, parents too', async () => {
    await using bench = await new ImageBench().open();
    const base = await bench.step(undefined, (root) => writeFileSync(join(root, 'a'), 'a'), ['base:1', 'base:2']);
    const middle = await bench.step(base.id, (root) => writeFileSync(join(root, 'b'), 'b'));
    await bench.step(middle.id, (root) => writeFileSync(join(root, 'c'), 'c'), ['app:1']);
    await bench.store.prune({ danglingOnly: false, usersOf: () => [] });
    assert.deepEqual(bench.store.list(), []);
    assert.deepEqual(bench.contents(), EMPTY);
  });

  it('keeps layers that somebody retains until they are let go', async () => {
    await using bench = await new ImageBench().open();
    const image = await bench.step(undefined, (root) => writeFileSync(join(root, 'a'), 'abc'), ['app:1']);
    let isNeeded = true;
    bench.store.retainLayers(() => isNeeded);
    await bench.store.remove('app:1', nobodyUses);
    await bench.store.prune({ danglingOnly: false, usersOf: () => [] });
    assert.ok(bench.store.findLayer(image.config.rootfs.diff_ids[0]!));
    isNeeded = false;
    assert.equal(await bench.store.collectLayers(), 3);
    assert.deepEqual(bench.contents(), EMPTY);
  });

  it('starts even when a leftover cannot be removed', async () => {
    await using bench = await new ImageBench().open();
    const upper = await bench.store.newUpper();
    execFileSync('mount', ['--bind', upper.workDirectory, upper.workDirectory]);
    try {
      await bench.close();
      await bench.open();
      assert.deepEqual(bench.store.list(), []);
    } finally {
      execFileSync('umount', [upper.workDirectory]);
    }
    await bench.close();
    await bench.open();
    assert.deepEqual(bench.contents(), EMPTY);
  });

  it('prunes what no container uses, and keeps layers that others share', async () => {
    await using bench = await new ImageBench().open();
    const base = await bench.step(undefined, (root) => writeFileSync(join(root, 'a'), 'a'), ['base:1']);
    const app = await bench.step(base.id, (root) => writeFileSync(join(root, 'b'), 'bb'), ['app:1']);
    const usersOf = (id: Digest) => (id === base.id ? [{ containerId: 'c', isRunning: false }] : []);
    const pruned = await bench.store.prune({ danglingOnly: false, usersOf });
    const removed = [{ untagged: 'app:1' }, { deleted: app.id }, { deleted: chainIdOf(app.config.rootfs.diff_ids) }];
    assert.deepEqual(pruned, { removed, freedBytes: 2 });
    assert.deepEqual(
      bench.store.list().map((image) => image.references),
      [['base:1']],
    );
    assert.equal(bench.treeOf(base.id).length, 1);
  });
});

function isCode(code: string) {
  return (error: unknown): boolean => error instanceof UserError && error.code === code;
}
