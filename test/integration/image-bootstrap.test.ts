import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { UserError } from '../../src/lib/errors.ts';
import { EMPTY, ImageBench, whyNoLayers } from '../support/image-bench.ts';

const skip = whyNoLayers();
const hasBusybox = existsSync('/bin/busybox') || existsSync('/usr/bin/busybox');
const hasMmdebstrap = existsSync('/usr/bin/mmdebstrap');

describe('bootstrap', { skip }, () => {
  it('makes busybox', { skip: hasBusybox ? false : 'busybox-static is not installed' }, async () => {
    await using bench = await new ImageBench().open();
    const image = await bench.store.bootstrap('busybox', { onOutput() {} });
    assert.deepEqual(image.references, ['busybox:latest']);
    assert.deepEqual(image.config.config?.Cmd, ['sh']);
    assert.ok(image.sizeBytes < 10_000_000, 'applets are names of one file');
    const root = bench.mount(image.id);
    const said = execFileSync('chroot', [
      root,
      '/bin/sh',
      '-c',
      'id -un; ls -d /tmp; grep -c root /etc/passwd',
    ]).toString();
    bench.unmount(root);
    assert.equal(said, 'root\n/tmp\n1\n');
    assert.deepEqual(
      bench.events.map((event) => `${event.kind} ${event.name}`),
      ['tag busybox:latest', 'import busybox:latest'],
    );
  });

  it(
    'makes an image once for all who ask at the same time',
    { skip: hasBusybox ? false : 'busybox-static is not installed' },
    async () => {
      await using bench = await new ImageBench().open();
      const lines: string[] = [];
      const asked = ['busybox', 'busybox:latest', 'docker.io/library/busybox'];
      const images = await Promise.all(
        asked.map((name) => bench.store.bootstrap(name, { onOutput: (line) => lines.push(line) })),
      );
      assert.equal(new Set(images.map((image) => image.id)).size, 1);
      assert.equal(bench.events.filter((event) => event.kind === 'import').length, 1);
      assert.equal(lines.length, asked.length, 'all hear what is said');
    },
  );

  it('refuses what it does not know', async () => {
    await using bench = await new ImageBench().open();
    await assert.rejects(
      bench.store.bootstrap('debian:bookwurm', { onOutput() {} }),
      (error) => error instanceof UserError && error.kind === 'not-found' && error.fix.includes('debian:bookworm'),
    );
    assert.deepEqual(bench.contents(), EMPTY);
  });

  it(
    'stops in the middle of a Debian, and leaves nothing behind',
    { skip: hasMmdebstrap ? false : 'mmdebstrap is not installed' },
    async () => {
      await using bench = await new ImageBench().open();
      const abort = new AbortController();
      const onOutput = (line: string): void => {
        if (line.includes('apt-get update')) abort.abort(new Error('enough'));
      };
      await assert.rejects(bench.store.bootstrap('debian:bookworm', { onOutput, signal: abort.signal }), /enough/);
      await bench.close();
      await bench.open();
      assert.deepEqual(bench.contents(), EMPTY);
      assert.deepEqual(bench.store.list(), []);
    },
  );
});
