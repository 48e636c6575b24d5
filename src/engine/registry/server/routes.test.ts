import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isRepositoryName, isTag, routeOf } from './routes.ts';

const DIGEST = `sha256:${'a'.repeat(64)}` as const;

describe('the end point that a path means', () => {
  it('is found, also where repositories are called like end points', () => {
    assert.deepEqual(routeOf('/v2/'), { kind: 'base' });
    assert.deepEqual(routeOf('/v2/a/b/tags/list'), { kind: 'tags', repository: 'a/b' });
    assert.deepEqual(routeOf('/v2/tags/list/tags/list'), { kind: 'tags', repository: 'tags/list' });
    assert.deepEqual(routeOf('/v2/blobs/uploads/blobs/uploads/'), { kind: 'uploads', repository: 'blobs/uploads' });
    assert.deepEqual(routeOf('/v2/a/blobs/uploads/1-2'), { kind: 'upload', repository: 'a', id: '1-2' });
    assert.deepEqual(routeOf(`/v2/a/manifests/b/blobs/${DIGEST}`), {
      kind: 'blob',
      repository: 'a/manifests/b',
      digest: DIGEST,
    });
    assert.deepEqual(routeOf('/v2/a/manifests/V1.0_x'), {
      kind: 'manifest',
      repository: 'a',
      reference: { kind: 'tag', tag: 'V1.0_x' },
    });
    assert.deepEqual(routeOf(`/v2/a/referrers/${DIGEST}`), { kind: 'referrers', repository: 'a', digest: DIGEST });
  });

  it('is none elsewhere', () => {
    for (const path of ['/', '/v1/', '/v2', '/v2/a', '/v2/a/tags', '/v2/a/manifests/', '/v3/a/tags/list'])
      assert.equal(routeOf(path)?.kind, path === '/v2' ? 'base' : undefined, path);
  });
});

describe('names', () => {
  it('of repositories and tags are those of the specification', () => {
    for (const name of ['a', 'a/b', 'a-b', 'a--b', 'a_b', 'a__b', 'a.b', '0/1/2', 'a'.repeat(255)])
      assert.ok(isRepositoryName(name), name);
    for (const name of ['', 'A', 'a/', '/a', 'a//b', 'a___b', 'a..b', '-a', 'a-', 'a_', 'ä', 'a b', 'a'.repeat(256)])
      assert.ok(!isRepositoryName(name), name);
    for (const tag of ['a', 'A.b-c_d', '_', '0', 'a'.repeat(128)]) assert.ok(isTag(tag), tag);
    for (const tag of ['', '.a', '-a', 'a:b', 'a/b', 'a'.repeat(129)]) assert.ok(!isTag(tag), tag);
  });
});
