import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { after, describe, it } from 'node:test';
import { OCI_INDEX, OCI_MANIFEST, openTestRegistry, pushBlob, pushImage, sha256 } from '../support/registry.ts';

/**
 * The OCI Distribution Specification 1.1, end point by end point as its table "Endpoints" names them. The official suite is
 * written in Go; this one asks the same questions and more.
 */
const registry = await openTestRegistry({ settings: { blobLimitBytes: 5_000_000 } });
const { url } = registry;
after(() => registry[Symbol.asyncDispose]());

const UNKNOWN = `sha256:${'0'.repeat(64)}`;
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

describe('end-1: GET /v2/', () => {
  it('says that it is one', async () => {
    const response = await call('GET', '/v2/');
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('docker-distribution-api-version'), 'registry/2.0');
  });

  it('has no other versions, and refuses methods that it does not have', async () => {
    assert.equal((await call('GET', '/v1/')).status, 404);
    const response = await call('POST', '/v2/');
    assert.equal(response.status, 405);
    assert.equal(response.headers.get('allow'), 'GET');
    assert.deepEqual(await codesOf(response), ['UNSUPPORTED']);
  });
});

describe('end-2: GET and HEAD of a blob', () => {
  const data = randomBytes(10_000);
  const digest = sha256(data);

  it('gives the bytes, their length, digest and entity tag', async () => {
    await pushBlob(url, 'pull/blob', data);
    for (const method of ['GET', 'HEAD']) {
      const response = await call(method, `/v2/pull/blob/blobs/${digest}`);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get('content-length'), '10000');
      assert.equal(response.headers.get('docker-content-digest'), digest);
      assert.equal(response.headers.get('etag'), `"${digest}"`);
      assert.equal(response.headers.get('accept-ranges'), 'bytes');
      assert.deepEqual(await bytesOf(response), method === 'GET' ? data : Buffer.alloc(0));
    }
  });

  it('answers 304 to who has it', async () => {
    const response = await call('GET', `/v2/pull/blob/blobs/${digest}`, {
      headers: { 'if-none-match': `"${digest}"` },
    });
    assert.equal(response.status, 304);
  });

  const RANGES: readonly [header: string, status: number, from: number, to: number][] = [
    ['bytes=0-0', 206, 0, 1],
    ['bytes=100-199', 206, 100, 200],
    ['bytes=9990-', 206, 9_990, 10_000],
    ['bytes=-10', 206, 9_990, 10_000],
    ['bytes=9000-99999', 206, 9_000, 10_000],
    ['bytes=5-2', 200, 0, 10_000],
    ['bytes=0-1,5-6', 200, 0, 10_000],
    ['lines=1-2', 200, 0, 10_000],
  ];
  for (const [range, status, from, to] of RANGES) {
    it(`gives ${range} with ${status}`, async () => {
      const response = await call('GET', `/v2/pull/blob/blobs/${digest}`, { headers: { range } });
      assert.equal(response.status, status);
      assert.deepEqual(await bytesOf(response), data.subarray(from, to));
      if (status === 206) assert.equal(response.headers.get('content-range'), `bytes ${from}-${to - 1}/10000`);
    });
  }

  it('refuses a range that is not there, and gives the whole to who has another version', async () => {
    const beyond = await call('GET', `/v2/pull/blob/blobs/${digest}`, { headers: { range: 'bytes=10000-' } });
    assert.equal(beyond.status, 416);
    assert.equal(beyond.headers.get('content-range'), 'bytes */10000');
    const other = { range: 'bytes=0-9', 'if-range': '"other"' };
    assert.equal((await call('GET', `/v2/pull/blob/blobs/${digest}`, { headers: other })).status, 200);
  });

  it('knows nothing of blobs that are not in this repository', async () => {
    for (const name of ['pull/other', 'pull/blob']) {
      const response = await call('GET', `/v2/${name}/blobs/${name === 'pull/blob' ? UNKNOWN : digest}`);
      assert.equal(response.status, 404);
      assert.deepEqual(await codesOf(response), ['BLOB_UNKNOWN']);
    }
    assert.deepEqual(await codesOf(await call('GET', '/v2/pull/blob/blobs/sha256:abc')), ['DIGEST_INVALID']);
  });

  it('gives an empty blob', async () => {
    const empty = await pushBlob(url, 'pull/blob', Buffer.alloc(0));
    const response = await call('GET', `/v2/pull/blob/blobs/${empty.digest}`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-length'), '0');
  });
});

describe('end-3: GET and HEAD of a manifest', () => {
  it('gives the very bytes by tag and by digest, with the media type', async () => {
    const image = await pushImage(url, 'pull/manifest', { reference: 'v1' });
    for (const reference of ['v1', image.digest]) {
      for (const method of ['GET', 'HEAD']) {
        const response = await call(method, `/v2/pull/manifest/manifests/${reference}`);
        assert.equal(response.status, 200);
        assert.equal(response.headers.get('content-type'), OCI_MANIFEST);
        assert.equal(response.headers.get('docker-content-digest'), image.digest);
        assert.equal(response.headers.get('content-length'), String(image.text.length));
        assert.equal(await response.text(), method === 'GET' ? image.text : '');
      }
    }
    const known = { headers: { 'if-none-match': `"${image.digest}"` } };
    assert.equal((await call('GET', '/v2/pull/manifest/manifests/v1', known)).status, 304);
  });

  it('answers 404 for what is not there, and names the mistake in what is no name', async () => {
    const CASES: readonly [path: string, status: number, code: string][] = [
      ['/v2/pull/manifest/manifests/nothing', 404, 'MANIFEST_UNKNOWN'],
      [`/v2/pull/manifest/manifests/${UNKNOWN}`, 404, 'MANIFEST_UNKNOWN'],
      ['/v2/no/such/manifests/v1', 404, 'MANIFEST_UNKNOWN'],
      ['/v2/UPPER/manifests/v1', 400, 'NAME_INVALID'],
      ['/v2/a//b/manifests/v1', 400, 'NAME_INVALID'],
      [`/v2/${'a'.repeat(256)}/manifests/v1`, 400, 'NAME_INVALID'],
      ['/v2/pull/manifest/manifests/.x', 400, 'MANIFEST_INVALID'],
      ['/v2/pull/manifest/manifests/md5:abc', 400, 'DIGEST_INVALID'],
    ];
    for (const [path, status, code] of CASES) {
      const response = await call('GET', path);
      assert.equal(response.status, status, path);
      assert.deepEqual(await codesOf(response), [code], path);
    }
  });
});

describe('end-4, end-6: a blob at once', () => {
  it('by POST and PUT, where the upload has an address of its own', async () => {
    const data = randomBytes(100);
    const begun = await call('POST', '/v2/push/blob/blobs/uploads/');
    assert.equal(begun.status, 202);
    assert.match(begun.headers.get('location') ?? '', /^\/v2\/push\/blob\/blobs\/uploads\/[0-9a-f-]{36}$/);
    assert.equal(begun.headers.get('range'), '0-0');
    const ended = await call('PUT', `${begun.headers.get('location')}?digest=${sha256(data)}`, { body: data });
    assert.equal(ended.status, 201);
    assert.equal(ended.headers.get('docker-content-digest'), sha256(data));
    assert.deepEqual(await bytesOf(await call('GET', ended.headers.get('location') ?? '')), data);
  });

  it('by one POST', async () => {
    const data = randomBytes(100);
    const response = await call('POST', `/v2/push/blob/blobs/uploads/?digest=${sha256(data)}`, { body: data });
    assert.equal(response.status, 201);
    assert.deepEqual(await bytesOf(await call('GET', response.headers.get('location') ?? '')), data);
    const wrong = await call('POST', `/v2/push/blob/blobs/uploads/?digest=${UNKNOWN}`, { body: data });
    assert.equal(wrong.status, 400);
    assert.deepEqual(await codesOf(wrong), ['DIGEST_INVALID']);
  });

  it('with a digest of SHA-512', async () => {
    const data = randomBytes(100);
    const digest = `sha512:${createHash('sha512').update(data).digest('hex')}`;
    const response = await call('POST', `/v2/push/blob/blobs/uploads/?digest=${digest}`, { body: data });
    assert.equal(response.status, 201);
    assert.deepEqual(await bytesOf(await call('GET', `/v2/push/blob/blobs/${digest}`)), data);
  });

  it('refuses another digest than that of the bytes, no digest, and what is too large; the upload is gone', async () => {
    const location = await begin('push/blob');
    const wrong = await call('PUT', `${location}?digest=${UNKNOWN}`, { body: 'x' });
    assert.equal(wrong.status, 400);
    assert.deepEqual(await codesOf(wrong), ['DIGEST_INVALID']);
    assert.deepEqual(await codesOf(await call('GET', location)), ['BLOB_UPLOAD_UNKNOWN']);
    const again = await begin('push/blob');
    assert.deepEqual(await codesOf(await call('PUT', again, { body: 'x' })), ['DIGEST_INVALID']);
    const large = await call('PUT', `${again}?digest=${UNKNOWN}`, { body: Buffer.alloc(6_000_000) });
    assert.equal(large.status, 413);
  });
});

describe('end-5, end-13: a blob in chunks', () => {
  const data = randomBytes(3_000);
  const chunk = (location: string, start: number, end: number): Promise<Response> =>
    call('PATCH', location, {
      headers: { 'content-range': `${start}-${end - 1}`, 'content-type': 'application/octet-stream' },
      body: data.subarray(start, end),
    });

  it('takes them in order, tells how far it is, and ends with or without a last one', async () => {
    for (const isLastInPut of [true, false]) {
      const location = await begin('push/chunks');
      const first = await chunk(location, 0, 1_000);
      assert.equal(first.status, 202);
      assert.equal(first.headers.get('range'), '0-999');
      const second = await chunk(first.headers.get('location') ?? '', 1_000, 2_000);
      assert.equal(second.headers.get('range'), '0-1999');
      const told = await call('GET', location);
      assert.equal(told.status, 204);
      assert.equal(told.headers.get('range'), '0-1999');
      assert.equal(told.headers.get('location'), location);
      if (!isLastInPut) assert.equal((await chunk(location, 2_000, 3_000)).status, 202);
      const last = { headers: { 'content-range': '2000-2999' }, body: data.subarray(2_000) };
      const ended = await call('PUT', `${location}?digest=${sha256(data)}`, isLastInPut ? last : {});
      assert.equal(ended.status, 201);
    }
    assert.deepEqual(await bytesOf(await call('GET', `/v2/push/chunks/blobs/${sha256(data)}`)), data);
  });

  it('refuses the wrong one with 416 and the place to go on, and goes on', async () => {
    const location = await begin('push/chunks');
    assert.equal((await chunk(location, 1_000, 2_000)).status, 416);
    await chunk(location, 0, 1_000);
    for (const wrong of [chunk(location, 0, 1_000), chunk(location, 2_000, 3_000)]) {
      const response = await wrong;
      assert.equal(response.status, 416);
      assert.equal(response.headers.get('range'), '0-999');
      assert.equal(response.headers.get('location'), location);
      assert.deepEqual(await codesOf(response), ['BLOB_UPLOAD_INVALID']);
    }
    const odd = await call('PATCH', location, { headers: { 'content-range': 'first-last' }, body: 'x' });
    assert.equal(odd.status, 416);
    assert.equal((await chunk(location, 1_000, 3_000)).status, 202);
    assert.equal((await call('PUT', `${location}?digest=${sha256(data)}`)).status, 201);
  });

  it('refuses a chunk that is not as long as it says', async () => {
    const location = await begin('push/chunks');
    const short = { headers: { 'content-range': '0-99' }, body: data.subarray(0, 50) };
    assert.deepEqual(await codesOf(await call('PATCH', location, short)), ['SIZE_INVALID']);
  });

  it('forgets an upload that is cancelled', async () => {
    const location = await begin('push/chunks');
    await chunk(location, 0, 1_000);
    assert.equal((await call('DELETE', location)).status, 204);
    for (const method of ['GET', 'DELETE', 'PATCH']) {
      const response = await call(method, location, method === 'PATCH' ? { body: 'x' } : {});
      assert.equal(response.status, 404, method);
      assert.deepEqual(await codesOf(response), ['BLOB_UPLOAD_UNKNOWN']);
    }
  });

  it('does not let another repository have it', async () => {
    const location = await begin('push/chunks');
    assert.equal((await call('GET', location.replace('push/chunks', 'push/other'))).status, 404);
  });
});

describe('end-11: mounting a blob', () => {
  it('from a repository that has it, or from any', async () => {
    const { digest } = await pushBlob(url, 'mount/from', randomBytes(100));
    for (const [to, from] of [
      ['mount/one', '&from=mount/from'],
      ['mount/two', ''],
    ]) {
      const response = await call('POST', `/v2/${to}/blobs/uploads/?mount=${digest}${from}`);
      assert.equal(response.status, 201);
      assert.equal(response.headers.get('location'), `/v2/${to}/blobs/${digest}`);
      assert.equal((await call('HEAD', `/v2/${to}/blobs/${digest}`)).status, 200);
    }
  });

  it('begins an upload where there is nothing to mount', async () => {
    const CASES = [`mount=${UNKNOWN}&from=mount/from`, `mount=${UNKNOWN}`, 'mount=nothing&from=mount/from'];
    for (const query of CASES) {
      const response = await call('POST', `/v2/mount/three/blobs/uploads/?${query}`);
      assert.equal(response.status, 202, query);
      assert.equal((await call('GET', response.headers.get('location') ?? '')).status, 204);
    }
  });
});

describe('end-7: PUT of a manifest', () => {
  it('tells where it is, and takes it by digest, without layers, and as Docker writes it', async () => {
    const image = await pushImage(url, 'push/manifest', { reference: 'v1' });
    assert.equal(image.headers.get('location'), `/v2/push/manifest/manifests/${image.digest}`);
    assert.equal(image.headers.get('docker-content-digest'), image.digest);
    await pushImage(url, 'push/manifest', { members: { layers: [] } });
    const text = JSON.stringify({ ...JSON.parse(image.text), mediaType: DOCKER_MANIFEST });
    const taken = await putManifest('push/manifest', 'docker', { text, type: `${DOCKER_MANIFEST}; charset=utf-8` });
    assert.equal(taken.status, 201);
    const given = await call('GET', '/v2/push/manifest/manifests/docker');
    assert.equal(given.headers.get('content-type'), DOCKER_MANIFEST);
  });

  it('takes an index of manifests that are there, and refuses one that names another', async () => {
    const image = await pushImage(url, 'push/index');
    const descriptor = { mediaType: OCI_MANIFEST, digest: image.digest, size: image.size };
    const text = JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: [descriptor] });
    assert.equal((await putManifest('push/index', 'all', { text, type: OCI_INDEX })).status, 201);
    const elsewhere = await putManifest('push/index-2', 'all', { text, type: OCI_INDEX });
    assert.equal(elsewhere.status, 404);
    assert.deepEqual(await codesOf(elsewhere), ['MANIFEST_BLOB_UNKNOWN']);
  });

  it('names each blob that is missing', async () => {
    const image = await pushImage(url, 'push/manifest');
    const layers = [1, 2].map((n) => ({ mediaType: 'a/b', digest: sha256(`missing ${n}`), size: 1 }));
    const text = JSON.stringify({ ...JSON.parse(image.text), layers });
    const response = await putManifest('push/manifest', 'x', { text, type: OCI_MANIFEST });
    assert.equal(response.status, 404);
    const { errors } = (await response.json()) as { errors: { code: string; detail: { digest: string } }[] };
    assert.deepEqual(
      errors.map(({ code, detail }) => [code, detail.digest]),
      layers.map(({ digest }) => ['MANIFEST_BLOB_UNKNOWN', digest]),
    );
    assert.equal((await call('GET', '/v2/push/manifest/manifests/x')).status, 404);
  });

  it('does not need layers that may not be given away', async () => {
    const image = await pushImage(url, 'push/manifest');
    const mediaType = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
    const layers = [{ mediaType, digest: UNKNOWN, size: 1, urls: ['https://example.org/layer'] }];
    const text = JSON.stringify({ ...JSON.parse(image.text), layers });
    assert.equal((await putManifest('push/manifest', 'foreign', { text, type: OCI_MANIFEST })).status, 201);
  });

  it('refuses what is no manifest', async () => {
    const { text } = await pushImage(url, 'push/manifest');
    const good = JSON.parse(text) as object;
    const CASES: readonly [text: string, type: string, code: string][] = [
      ['{', OCI_MANIFEST, 'MANIFEST_INVALID'],
      ['[]', OCI_MANIFEST, 'MANIFEST_INVALID'],
      [JSON.stringify({ ...good, schemaVersion: 1 }), OCI_MANIFEST, 'MANIFEST_INVALID'],
      [JSON.stringify({ ...good, layers: undefined }), OCI_MANIFEST, 'MANIFEST_INVALID'],
      [
        JSON.stringify({ ...good, config: { mediaType: 'a/b', digest: 'sha256:x', size: 1 } }),
        OCI_MANIFEST,
        'DIGEST_INVALID',
      ],
      [text, OCI_INDEX, 'MANIFEST_INVALID'],
      [text, 'text/plain', 'MANIFEST_INVALID'],
    ];
    for (const [body, type, code] of CASES) {
      const response = await putManifest('push/manifest', 'bad', { text: body, type });
      assert.equal(response.status, 400, body);
      assert.deepEqual(await codesOf(response), [code], body);
    }
    const wrong = await putManifest('push/manifest', UNKNOWN, { text, type: OCI_MANIFEST });
    assert.deepEqual(await codesOf(wrong), ['DIGEST_INVALID']);
  });

  it('takes one of four megabytes, and refuses a larger one with 413', async () => {
    const { text } = await pushImage(url, 'push/manifest');
    const bare = JSON.stringify({ ...JSON.parse(text), annotations: { fill: '' } }).length;
    const filled = (bytes: number): string =>
      JSON.stringify({ ...JSON.parse(text), annotations: { fill: 'x'.repeat(bytes - bare) } });
    assert.equal(
      (await putManifest('push/manifest', 'big', { text: filled(4 * 1024 * 1024), type: OCI_MANIFEST })).status,
      201,
    );
    const larger = await putManifest('push/manifest', 'bigger', {
      text: filled(4 * 1024 * 1024 + 1),
      type: OCI_MANIFEST,
    });
    assert.equal(larger.status, 413);
  });

  it('keeps two clients from overwriting each other, where they ask for it', async () => {
    const { digest, text } = await pushImage(url, 'push/conditions', { reference: 'v1' });
    const put = (headers: Record<string, string>): Promise<Response> =>
      call('PUT', '/v2/push/conditions/manifests/v1', {
        headers: { 'content-type': OCI_MANIFEST, ...headers },
        body: text,
      });
    assert.equal((await put({ 'if-none-match': '*' })).status, 412);
    assert.equal((await put({ 'if-match': `"${UNKNOWN}"` })).status, 412);
    assert.equal((await put({ 'if-match': `"${digest}"` })).status, 201);
  });
});

describe('end-8: tags and repositories', () => {
  it('lists tags in order, in pages', async () => {
    const { text } = await pushImage(url, 'list/tags', { reference: 'b' });
    for (const tag of ['a', 'C', 'd', 'B2']) await putManifest('list/tags', tag, { text, type: OCI_MANIFEST });
    const all = ['a', 'b', 'B2', 'C', 'd'];
    const whole = await call('GET', '/v2/list/tags/tags/list');
    assert.deepEqual(await whole.json(), { name: 'list/tags', tags: all });
    assert.equal(whole.headers.get('link'), null);
    const pages: string[][] = [];
    let next: string | undefined = '/v2/list/tags/tags/list?n=2';
    while (next !== undefined) {
      const response = await call('GET', next);
      pages.push(((await response.json()) as { tags: string[] }).tags);
      next = nextOf(response);
    }
    assert.deepEqual(pages, [['a', 'b'], ['B2', 'C'], ['d']]);
    assert.deepEqual(await (await call('GET', '/v2/list/tags/tags/list?last=b')).json(), {
      name: 'list/tags',
      tags: ['B2', 'C', 'd'],
    });
    const none = await call('GET', '/v2/list/tags/tags/list?n=0');
    assert.deepEqual(await none.json(), { name: 'list/tags', tags: [] });
    assert.equal(none.headers.get('link'), null);
    assert.equal((await call('GET', '/v2/list/tags/tags/list?n=-1')).status, 400);
    assert.deepEqual(await codesOf(await call('GET', '/v2/no/such/tags/list')), ['NAME_UNKNOWN']);
  });

  it('lists repositories, in pages', async () => {
    const whole = ((await (await call('GET', '/v2/_catalog')).json()) as { repositories: string[] }).repositories;
    assert.ok(whole.includes('list/tags') && whole.includes('mount/one'));
    const first = await call('GET', '/v2/_catalog?n=2');
    assert.deepEqual(await first.json(), { repositories: whole.slice(0, 2) });
    const second = await call('GET', nextOf(first) ?? '');
    assert.deepEqual(await second.json(), { repositories: whole.slice(2, 4) });
  });
});

describe('end-12: referrers', () => {
  it('lists what names a subject, whether it is there or not, with a filter', async () => {
    const subject = await pushImage(url, 'refer/app', { reference: 'v1' });
    const descriptor = { mediaType: OCI_MANIFEST, digest: subject.digest, size: subject.size };
    const annotations = { 'org.example.kind': 'sbom' };
    const sbom = await pushImage(url, 'refer/app', {
      members: { subject: descriptor, artifactType: 'application/spdx+json', annotations },
    });
    assert.equal(sbom.headers.get('oci-subject'), subject.digest);
    const other = await pushImage(url, 'refer/app', { members: { subject: descriptor } });
    const all = await call('GET', `/v2/refer/app/referrers/${subject.digest}`);
    assert.equal(all.status, 200);
    assert.equal(all.headers.get('content-type'), OCI_INDEX);
    assert.equal(all.headers.get('oci-filters-applied'), null);
    const { manifests, schemaVersion } = (await all.json()) as {
      schemaVersion: number;
      manifests: { digest: string }[];
    };
    assert.equal(schemaVersion, 2);
    assert.deepEqual(manifests.map(({ digest }) => digest).sort(), [sbom.digest, other.digest].sort());
    const some = await call('GET', `/v2/refer/app/referrers/${subject.digest}?artifactType=application/spdx%2Bjson`);
    assert.equal(some.headers.get('oci-filters-applied'), 'artifactType');
    assert.deepEqual(((await some.json()) as { manifests: object[] }).manifests, [
      {
        mediaType: OCI_MANIFEST,
        digest: sbom.digest,
        size: sbom.size,
        artifactType: 'application/spdx+json',
        annotations,
      },
    ]);
    const byConfig = `artifactType=${encodeURIComponent('application/vnd.oci.image.config.v1+json')}`;
    const configured = await call('GET', `/v2/refer/app/referrers/${subject.digest}?${byConfig}`);
    assert.equal(((await configured.json()) as { manifests: object[] }).manifests.length, 1);
  });

  it('has none of a subject, or a repository, that is not there', async () => {
    for (const name of ['refer/app', 'refer/nothing']) {
      const response = await call('GET', `/v2/${name}/referrers/${UNKNOWN}`);
      assert.equal(response.status, 200);
      assert.deepEqual(((await response.json()) as { manifests: object[] }).manifests, []);
    }
    assert.equal((await call('GET', '/v2/refer/app/referrers/sha256:abc')).status, 400);
    const early = { subject: { mediaType: OCI_MANIFEST, digest: UNKNOWN, size: 1 } };
    const { headers } = await pushImage(url, 'refer/early', { members: early });
    assert.equal(headers.get('oci-subject'), UNKNOWN);
  });

  it('goes on another page when they are too many for one manifest', async () => {
    const digest = sha256('a subject with large referrers');
    const members = (n: number) => ({
      subject: { mediaType: OCI_MANIFEST, digest, size: 1 },
      annotations: { n: String(n), fill: 'x'.repeat(2_000_000) },
    });
    for (const n of [1, 2, 3]) await pushImage(url, 'refer/large', { members: members(n) });
    const seen: string[] = [];
    let next: string | undefined = `/v2/refer/large/referrers/${digest}`;
    let pages = 0;
    for (; next !== undefined; pages++) {
      const response = await call('GET', next);
      const { manifests } = (await response.json()) as { manifests: { annotations: { n: string } }[] };
      seen.push(...manifests.map(({ annotations }) => annotations.n));
      next = nextOf(response);
    }
    assert.equal(pages, 2);
    assert.deepEqual(seen.sort(), ['1', '2', '3']);
  });
});

describe('end-9, end-10: deleting', () => {
  it('deletes a tag alone, a manifest with its tags, and a blob', async () => {
    const image = await pushImage(url, 'delete/app', { reference: 'one' });
    for (const tag of ['two', 'three']) await putManifest('delete/app', tag, { text: image.text, type: OCI_MANIFEST });
    assert.equal((await call('DELETE', '/v2/delete/app/manifests/one')).status, 202);
    assert.equal((await call('GET', '/v2/delete/app/manifests/one')).status, 404);
    assert.equal((await call('GET', '/v2/delete/app/manifests/two')).status, 200);
    assert.equal((await call('DELETE', `/v2/delete/app/manifests/${image.digest}`)).status, 202);
    for (const reference of ['two', 'three', image.digest])
      assert.equal((await call('GET', `/v2/delete/app/manifests/${reference}`)).status, 404);
    assert.deepEqual(await (await call('GET', '/v2/delete/app/tags/list')).json(), { name: 'delete/app', tags: [] });
    const blob = `/v2/delete/app/blobs/${image.layer}`;
    assert.equal((await call('DELETE', blob)).status, 202);
    assert.equal((await call('GET', blob)).status, 404);
  });

  it('answers 404 for what is not there', async () => {
    for (const [path, code] of [
      ['/v2/delete/app/manifests/nothing', 'MANIFEST_UNKNOWN'],
      [`/v2/delete/nothing/manifests/${UNKNOWN}`, 'MANIFEST_UNKNOWN'],
      [`/v2/delete/app/blobs/${UNKNOWN}`, 'BLOB_UNKNOWN'],
    ] as const) {
      const response = await call('DELETE', path);
      assert.equal(response.status, 404, path);
      assert.deepEqual(await codesOf(response), [code]);
    }
  });
});

describe('a read-only registry', () => {
  it('gives, and takes nothing', async () => {
    const image = await pushImage(url, 'read/only', { reference: 'v1' });
    const { directory } = registry;
    await registry.server.close();
    await using closed = await openTestRegistry({ directory, settings: { readOnly: true } });
    const at = (path: string, init: RequestInit = {}): Promise<Response> => fetch(`${closed.url}${path}`, init);
    assert.equal((await at('/v2/read/only/manifests/v1')).status, 200);
    assert.equal((await at(`/v2/read/only/blobs/${image.layer}`)).status, 200);
    for (const [method, path] of [
      ['POST', '/v2/read/only/blobs/uploads/'],
      ['PUT', '/v2/read/only/manifests/v2'],
      ['DELETE', '/v2/read/only/manifests/v1'],
      ['DELETE', `/v2/read/only/blobs/${image.layer}`],
    ] as const) {
      const response = await at(path, { method });
      assert.equal(response.status, 405, `${method} ${path}`);
      assert.deepEqual(await codesOf(response), ['UNSUPPORTED']);
    }
  });
});

function call(method: string, path: string, init: RequestInit = {}): Promise<Response> {
  return fetch(`${url}${path}`, { ...init, method });
}

async function begin(repository: string): Promise<string> {
  return (await call('POST', `/v2/${repository}/blobs/uploads/`)).headers.get('location') ?? '';
}

function putManifest(repository: string, reference: string, o: { text: string; type: string }): Promise<Response> {
  return call('PUT', `/v2/${repository}/manifests/${reference}`, { headers: { 'content-type': o.type }, body: o.text });
}

async function codesOf(response: Response): Promise<readonly string[]> {
  const { errors } = (await response.json()) as { errors: { code: string; message: string }[] };
  assert.ok(errors.every(({ message }) => typeof message === 'string'));
  return errors.map(({ code }) => code);
}

async function bytesOf(response: Response): Promise<Buffer> {
  return Buffer.from(await response.arrayBuffer());
}

function nextOf(response: Response): string | undefined {
  return /^<(.+)>; rel="next"$/.exec(response.headers.get('link') ?? '')?.[1];
}
