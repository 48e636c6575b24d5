import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { readCheckout } from './checkout.ts';
import { withoutCredentials } from './without-credentials.ts';

describe('the checkout of a folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bascule-checkout-'));
  after(() => rmSync(folder, { recursive: true }));
  const identity = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'commit.gpgsign=false'];
  const git = (...words: readonly string[]): string =>
    execFileSync('git', [...identity, ...words], {
      cwd: folder,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();

  it('is none outside a repository, and before the first commit', async () => {
    assert.equal(await readCheckout(folder), undefined);
    execFileSync('mkfifo', [join(folder, '.git')]);
    assert.equal(await readCheckout(folder), undefined);
    rmSync(join(folder, '.git'));
    git('init', '--initial-branch=main');
    assert.equal(await readCheckout(folder), undefined);
  });

  it('is the commit that HEAD names: by a branch, packed, detached, in a worktree, from below', async () => {
    git('commit', '--allow-empty', '-m', 'one');
    const revision = git('rev-parse', 'HEAD');
    assert.deepEqual(await readCheckout(folder), { revision });
    git('remote', 'add', 'origin', 'https://me:secret@example.org/shop.git');
    git('pack-refs', '--all');
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    assert.deepEqual(await readCheckout(join(folder, 'a/b')), { revision, source: 'https://example.org/shop.git' });
    git('worktree', 'add', 'other');
    assert.equal((await readCheckout(join(folder, 'other')))?.source, 'https://example.org/shop.git');
    git('checkout', '--detach');
    assert.equal((await readCheckout(folder))?.revision, revision);
  });
});

it('addresses lose their credentials, and nothing else', () => {
  assert.equal(withoutCredentials('https://me:pw@example.org/a#b'), 'https://example.org/a#b');
  assert.equal(withoutCredentials('git@example.org:a/b.git'), 'git@example.org:a/b.git');
  assert.equal(withoutCredentials('https://example.org'), 'https://example.org');
});
