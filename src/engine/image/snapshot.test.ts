import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderSources } from './apt-sources.ts';
import { recipeOf } from './bootstrap-catalog.ts';
import { snapshotMirrors } from './snapshot.ts';
import { parseSnapshotTime } from './snapshot-time.ts';

const AT = new Date('2026-11-01T14:30:00Z');

describe('snapshots', () => {
  it('are of a moment, written in several ways', () => {
    for (const text of ['20261101T143000Z', '2026-11-01T14:30:00Z', '2026-11-01 14:30:00'])
      assert.deepEqual(parseSnapshotTime(text), AT, text);
    assert.deepEqual(parseSnapshotTime('20261101'), new Date('2026-11-01T00:00:00Z'));
    for (const text of ['', '2026', '20261301', '20260230', '20261101T250000Z', 'yesterday'])
      assert.throws(() => parseSnapshotTime(text), { code: 'snapshot-invalid' }, text);
  });

  it('are of the servers of the distributions, or of a mirror', () => {
    assert.deepEqual(snapshotMirrors('debian', { at: AT }), {
      archive: 'http://snapshot.debian.org/archive/debian/20261101T143000Z',
      security: 'http://snapshot.debian.org/archive/debian-security/20261101T143000Z',
    });
    const mirror = 'http://mirror.example/snapshots/';
    assert.equal(
      snapshotMirrors('ubuntu', { at: AT, mirror }).archive,
      'http://mirror.example/snapshots/ubuntu/20261101T143000Z',
    );
  });

  it('are taken by apt although they have expired', () => {
    const text = renderSources('debian', 'bookworm', { ...snapshotMirrors('debian', { at: AT }), isOutdated: true });
    assert.ok(
      text
        .trim()
        .split('\n')
        .every((line) => line.startsWith('deb [check-valid-until=no] http://')),
    );
  });

  it('are named by tags, as in Docker’s library', () => {
    const recipe = recipeOf('debian:bookworm-20261101-slim');
    assert.ok(recipe.kind === 'debootstrap');
    assert.deepEqual([recipe.suite, recipe.isSlim], ['bookworm', true]);
    assert.deepEqual(recipe.snapshotAt, new Date('2026-11-01T00:00:00Z'));
    assert.throws(() => recipeOf('debian:bookworm-20261301'), { code: 'snapshot-invalid' });
    const undated = recipeOf('ubuntu:noble');
    assert.equal(undated.kind === 'debootstrap' ? undated.snapshotAt : 'busybox', undefined);
  });
});
