import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

const ROOT = join(import.meta.dirname, '..', '..');

describe('the single executable', { timeout: 540_000 }, () => {
  it('runs where no Node is installed: starts its daemon, makes a base image, and removes all of it', () => {
    execFileSync(process.execPath, ['scripts/build.ts'], { cwd: ROOT, stdio: 'ignore' });
    const folder = mkdtempSync('/var/tmp/bascule-executable-');
    try {
      const program = join(folder, 'bascule');
      copyFileSync(join(ROOT, 'dist', 'bascule'), program);
      const run = (...words: string[]): string =>
        execFileSync(program, words, {
          cwd: folder,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
          env: {
            PATH: '/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin',
            HOME: folder,
            BASCULE_ROOT: join(folder, 'root'),
          },
        });
      try {
        assert.match(run('--version'), /^\d+\.\d+\.\d+\n$/);
        assert.equal(run('image', 'bootstrap', 'busybox'), 'busybox\n');
        assert.match(run('images'), /^busybox +latest/m);
        assert.match(run('doctor'), /(?:crun|runc): /);
        assert.match(run('completion', 'bash'), /complete/);
      } finally {
        run('purge', '--yes');
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
