import assert from 'node:assert/strict';
import { linkSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { logFiles, nextLogFile, rotatedPath } from './log-files.ts';
import { splitLog } from './split-log.ts';

describe('a log that is cut', () => {
  it('begins a new file with the first line after the size, as Docker does', () => {
    const pieces = splitLog(Buffer.from('aaa\nbbb\nccc\nd'), 4).map(String);
    assert.deepEqual(pieces, ['aaa\n', 'bbb\n', 'ccc\n', 'd']);
    assert.deepEqual(splitLog(Buffer.from('aaa\nbbb\nc\n'), 5).map(String), ['aaa\nbbb\n', 'c\n']);
  });

  it('loses nothing, and cuts at line ends alone', () => {
    const lines = fc.array(fc.stringMatching(/^[a-z]{0,20}$/), { maxLength: 50 });
    fc.assert(
      fc.property(lines, fc.integer({ min: 1, max: 60 }), (words, size) => {
        const text = words.map((word) => `${word}\n`).join('');
        const pieces = splitLog(Buffer.from(text), size).map(String);
        assert.equal(pieces.join(''), text);
        for (const piece of pieces) assert.ok(piece.endsWith('\n') && piece.length <= size + 20);
      }),
    );
  });
});

describe('the files of a log', () => {
  it('are read from the oldest on, each once also in the middle of a rotation', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bascule-log-'));
    try {
      const log = join(folder, 'log');
      writeFileSync(rotatedPath(log, 2), 'old');
      writeFileSync(log, 'now');
      linkSync(log, rotatedPath(log, 1));
      const inode = statSync(log).ino;
      assert.deepEqual(
        (await logFiles(log)).map(({ path }) => path),
        [rotatedPath(log, 2), log],
      );
      assert.equal(await nextLogFile(log, inode), undefined);
      writeFileSync(join(folder, 'new'), 'newer');
      renameSync(join(folder, 'new'), log);
      assert.equal((await nextLogFile(log, inode))?.path, log);
      assert.equal((await nextLogFile(log, statSync(rotatedPath(log, 2)).ino))?.path, rotatedPath(log, 1));
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
