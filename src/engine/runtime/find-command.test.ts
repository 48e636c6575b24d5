import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { findCommand } from './find-command.ts';

let root: string;
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'bascule-root-'));
  await mkdir(join(root, 'etc'));
  await mkdir(join(root, 'bin'));
  await writeFile(join(root, 'etc/real'), 'inside');
  await writeFile(join(root, 'bin/tool'), '');
  await chmod(join(root, 'bin/tool'), 0o755);
});
after(() => rm(root, { recursive: true }));

it('tells whether a command is there', async () => {
  const find = (program: string): Promise<string> =>
    findCommand(root, { program, env: ['PATH=/sbin:/bin'], workingDirectory: '/' });
  assert.equal(await find('tool'), 'found');
  assert.equal(await find('/bin/tool'), 'found');
  assert.equal(await find('./bin/tool'), 'found');
  assert.equal(await find('none'), 'missing');
  assert.equal(await find('/etc'), 'not-executable');
  assert.equal(await find('/etc/real'), 'not-executable');
});
