import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { guardArchive } from './archive-guard.ts';
import { NameReader } from './archive-names.ts';

const folder = mkdtempSync(join(tmpdir(), 'bascule-guard-'));
after(() => rmSync(folder, { recursive: true }));

/** What tar makes of these files, each with its folders left out. */
function archiveOf(names: readonly string[], ...options: readonly string[]): Buffer {
  const from = mkdtempSync(join(folder, 'from-'));
  for (const name of names) {
    mkdirSync(join(from, name, '..'), { recursive: true });
    writeFileSync(join(from, name), `content of ${name}`);
  }
  return execFileSync('tar', ['--create', '--file=-', ...options, '--directory', from, '--', ...names]);
}

describe('what is copied into a container', () => {
  const root = join(folder, 'root');
  mkdirSync(join(root, 'usr/bin'), { recursive: true });
  mkdirSync(join(root, 'data/deep'), { recursive: true });
  symlinkSync('usr/bin', join(root, 'bin'));
  symlinkSync('/etc', join(root, 'data/absolute'));
  symlinkSync('../../..', join(root, 'data/climbs'));
  symlinkSync('../usr', join(root, 'data/inside'));
  symlinkSync('absolute', join(root, 'data/chain'));
  const look = (directory: string, name: string): void =>
    guardArchive(root, join(root, directory)).look(archiveOf([name]));

  it('is not written through a link that leads out of it', () => {
    for (const name of ['absolute/x', 'climbs/x', 'chain/x', 'absolute/deep/er/x'])
      assert.throws(() => look('data', name), { code: 'copy-through-link' }, name);
    assert.throws(() => look('.', 'data/absolute/x'), { code: 'copy-through-link' });
  });

  it('may go through links inside of it, replace a link, and make new folders', () => {
    for (const name of ['inside/x', 'absolute', 'new/folder/x', 'deep/x']) look('data', name);
    look('.', 'bin/tool');
    const from = mkdtempSync(join(folder, 'tree-'));
    mkdirSync(join(from, 'absolute'));
    writeFileSync(join(from, 'absolute/x'), 'x');
    const tree = execFileSync('tar', ['--create', '--file=-', '--directory', from, '.']);
    guardArchive(root, join(root, 'data')).look(tree); // the folder takes the place of the link
  });
});

describe('names of an archive', () => {
  const long = `${'d'.repeat(90)}/${'e'.repeat(90)}/f`;
  const names = ['a', 'b/c', long, `${'x/'.repeat(120)}y`, 'last'];
  for (const format of ['gnu', 'pax', 'ustar'])
    it(`are found in the format ${format}, however it is cut into pieces`, () => {
      const archive = archiveOf(names, `--format=${format}`);
      for (const size of [1, 511, 4_096, archive.length]) {
        const found: string[] = [];
        const reader = new NameReader((name) => found.push(name));
        for (let at = 0; at < archive.length; at += size) reader.read(archive.subarray(at, at + size));
        assert.deepEqual(found, names);
      }
    });

  for (const format of ['gnu', 'pax'])
    it(`are found behind files with holes, in the format ${format}`, () => {
      const from = mkdtempSync(join(folder, 'holes-'));
      writeFileSync(join(from, 'last'), 'x');
      writeFileSync(join(from, 'holes'), '');
      for (let at = 1; at < 40; at++) {
        truncateSync(join(from, 'holes'), at * 1_000_000);
        writeFileSync(join(from, 'holes'), 'y', { flag: 'a' });
      }
      const options = ['--create', '--file=-', '--sparse', `--format=${format}`, '--directory', from];
      const found: string[] = [];
      new NameReader((name) => found.push(name)).read(execFileSync('tar', [...options, 'holes', 'last']));
      assert.deepEqual(found, ['holes', 'last']);
    });
});
