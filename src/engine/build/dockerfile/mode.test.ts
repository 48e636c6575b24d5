import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { changedMode, parseMode } from './mode.ts';

describe('--chmod', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bascule-mode-'));
  const [file, directory] = [join(folder, 'file'), join(folder, 'directory')];
  writeFileSync(file, '');
  mkdirSync(directory);
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('changes modes as chmod(1) does', () => {
    const who = fc.constantFrom('u', 'g', 'o', 'a', 'ug', 'go', 'ugo');
    const what = fc.oneof(fc.constantFrom('u', 'g', 'o'), fc.stringMatching(/^[rwxXst]{0,4}$/));
    const operation = fc.tuple(fc.constantFrom('+', '-', '='), what).map((parts) => parts.join(''));
    const clause = fc
      .tuple(who, fc.array(operation, { minLength: 1, maxLength: 2 }))
      .map(([w, list]) => w + list.join(''));
    const text = fc.array(clause, { minLength: 1, maxLength: 3 }).map((list) => list.join(','));
    fc.assert(
      fc.property(text, fc.integer({ min: 0, max: 0o777 }), fc.boolean(), (mode, before, isDirectory) => {
        const path = isDirectory ? directory : file;
        chmodSync(path, before);
        execFileSync('chmod', [mode, path], { stdio: 'ignore' });
        const change = parseMode(mode);
        assert.ok(change, mode);
        const expected = statSync(path).mode & 0o7777;
        assert.equal(
          changedMode(change, before, isDirectory).toString(8),
          expected.toString(8),
          `${mode} of ${before.toString(8)}`,
        );
      }),
      { numRuns: 150 },
    );
  });

  it('means everybody where nobody is named, whatever the umask', () => {
    assert.equal(changedMode(parseMode('+x')!, 0o640, false), 0o751);
    assert.equal(changedMode(parseMode('=r')!, 0o777, false), 0o444);
    assert.equal(changedMode(parseMode('u=rwX,go=rX')!, 0o600, false), 0o644);
    assert.equal(changedMode(parseMode('u=rwX,go=rX')!, 0o600, true), 0o755);
  });

  it('is octal, or changes, and nothing else', () => {
    assert.deepEqual(parseMode('4755'), { kind: 'mode', mode: 0o4755 });
    for (const text of ['', '8', '10000', '99999', 'u', 'u+', 'z+x', 'u+q', 'u=gr', 'u+x,', '+-x '].filter(
      (one) => one !== 'u+',
    )) {
      assert.equal(parseMode(text), undefined, text);
    }
  });
});
