import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { readInRoot, resolveInRoot } from './root-path.ts';

describe('paths in a root', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'bascule-root-'));
    await mkdir(join(root, 'etc'));
    await writeFile(join(root, 'etc/real'), 'inside');
    await symlink('/etc/real', join(root, 'etc/absolute'));
    await symlink('../../../../../etc/real', join(root, 'etc/up'));
    await symlink('/etc/hostname', join(root, 'etc/passwd'));
    await symlink('loop', join(root, 'etc/loop'));
    await symlink('/etc', join(root, 'config'));
  });
  after(() => rm(root, { recursive: true }));

  it('never leave it, by absolute links, dots or loops', async () => {
    assert.equal(await readInRoot(root, '/etc/absolute'), 'inside');
    assert.equal(await readInRoot(root, '/etc/up'), 'inside');
    assert.equal(await readInRoot(root, '/config/../config/real'), 'inside');
    assert.equal(await readInRoot(root, '/etc/passwd'), '', 'a link to a file of the host is not followed there');
    assert.equal(await readInRoot(root, '/etc/loop'), '');
    assert.equal(await resolveInRoot(root, '../../..'), root);
    assert.equal(await resolveInRoot(root, '/config', true), join(root, 'config'));
  });
});
