import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { whyNoLayers } from '../../../test/support/image-bench.ts';
import { treeArbitrary, writeBase, writeTree } from '../../../test/support/image-trees.ts';
import type { Digest } from '../../lib/oci/index.ts';
import { writeLayerTar } from './layer-tar.ts';
import { readSmallFolder } from './small-layer.ts';
import { createDigestSink } from './sink.ts';
import { openXattrReader, type XattrReader } from './xattr.ts';

const skip = whyNoLayers();
const reader = openXattrReader();
const noReader = reader === undefined ? 'this Node has no foreign function interface' : skip;

describe('archive of a layer', { skip }, () => {
  it('is the same read in this process and by GNU tar, for all that overlayfs leaves', { skip: noReader }, async () => {
    const root = temporaryFolder();
    try {
      writeBase(root);
      writeOverlayMarks(root);
      assert.notEqual(readSmallFolder(root, reader!), undefined, 'small enough for this process');
      assert.equal(await digestOfFolder(root, reader), await digestOfFolder(root, undefined));
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it('is the same read in both ways for random trees', { skip: noReader }, async () => {
    await fc.assert(
      fc.asyncProperty(treeArbitrary, async (files) => {
        const root = temporaryFolder();
        try {
          writeTree(root, files);
          assert.equal(await digestOfFolder(root, reader), await digestOfFolder(root, undefined));
        } finally {
          rmSync(root, { recursive: true });
        }
      }),
      { numRuns: 40 },
    );
  });

  it('depends on nothing but the files', async () => {
    const [one, two] = [temporaryFolder(), temporaryFolder()];
    try {
      for (const name of ['b', 'a', 'c']) writeFileSync(join(one, name), name);
      for (const name of ['c', 'a', 'b']) writeFileSync(join(two, name), name);
      execFileSync('touch', ['-d', '@1000.5', ...['a', 'b', 'c'].flatMap((name) => [join(one, name)])]);
      execFileSync('touch', ['-d', '@1000.7', ...['a', 'b', 'c'].flatMap((name) => [join(two, name)])]);
      assert.equal(await digestOfFolder(one, reader), await digestOfFolder(two, reader));
      writeFileSync(join(two, 'a'), 'b');
      assert.notEqual(await digestOfFolder(one, reader), await digestOfFolder(two, reader));
    } finally {
      for (const root of [one, two]) rmSync(root, { recursive: true });
    }
  });
});

/** Whiteouts, alone and as names of one device, opaque folders, and attributes that must not count. */
function writeOverlayMarks(root: string): void {
  mkdirSync(join(root, 'opaque'));
  execFileSync('setfattr', ['-n', 'trusted.overlay.opaque', '-v', 'y', join(root, 'opaque')]);
  execFileSync('setfattr', ['-n', 'trusted.overlay.origin', '-v', '0x00fb', join(root, 'etc/conf')]);
  execFileSync('mknod', [join(root, 'whiteout'), 'c', '0', '0']);
  for (const name of ['etc/whiteout', 'zz-whiteout']) linkSync(join(root, 'whiteout'), join(root, name));
  symlinkSync('x', join(root, 'link-1'));
  linkSync(join(root, 'link-1'), join(root, 'link-2'));
  execFileSync('mknod', [join(root, 'big-device'), 'b', '259', '300000']);
}

function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'bascule-layer-'));
}

async function digestOfFolder(root: string, xattrs: XattrReader | undefined): Promise<Digest> {
  const sink = createDigestSink();
  await writeLayerTar(root, { sink, xattrs });
  return sink.digest();
}
