import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { RegistryServerSettings } from '../../src/engine/registry/index.ts';
import { OCI_MANIFEST, openTestRegistry, pushBlob, pushImage, sha256 } from '../support/registry.ts';
import { waitFor } from '../support/wait.ts';

/** `http://ACCESS:SECRET@HOST:PORT/BUCKET` of an S3-compatible store that runs, with a bucket that is there. */
const given = process.env['BASCULE_TEST_S3'];
const skip = given === undefined ? 'needs BASCULE_TEST_S3=http://ACCESS:SECRET@HOST:PORT/BUCKET' : false;

describe('a registry over S3', { skip }, () => {
  const prefix = `test-${randomBytes(4).toString('hex')}/`;
  const settings = (): Partial<RegistryServerSettings> => {
    const { protocol, host, username, password, pathname } = new URL(given ?? '');
    const keys = { accessKey: username, secretKey: password, region: 'us-east-1' };
    const storage = {
      kind: 's3',
      endpoint: `${protocol}//${host}`,
      bucket: pathname.slice(1),
      prefix,
      ...keys,
    } as const;
    return { storage, graceMs: 0 };
  };

  it('keeps small and large blobs, gives parts of them, and is made anew where the machine was lost', async () => {
    const large = randomBytes(40_000_000); // several parts
    const image = { digest: '', layer: '', text: '' };
    {
      await using registry = await openTestRegistry({ settings: settings() });
      await pushBlob(registry.url, 'team/app', large);
      const blob = `${registry.url}/v2/team/app/blobs/${sha256(large)}`;
      assert.equal(sha256(Buffer.from(await (await fetch(blob)).arrayBuffer())), sha256(large));
      const part = await fetch(blob, { headers: { range: 'bytes=17000000-17000099' } });
      assert.equal(part.status, 206);
      assert.deepEqual(Buffer.from(await part.arrayBuffer()), large.subarray(17_000_000, 17_000_100));
      const layers = [{ mediaType: 'application/octet-stream', digest: sha256(large), size: large.length }];
      Object.assign(image, await pushImage(registry.url, 'team/app', { reference: 'v1', members: { layers } }));
    }
    const directory = mkdtempSync(join(tmpdir(), 'bascule-registry-s3-'));
    try {
      await using registry = await openTestRegistry({ settings: settings(), directory }); // an empty database
      const manifest = await fetch(`${registry.url}/v2/team/app/manifests/v1`);
      assert.equal(await manifest.text(), image.text);
      assert.equal(manifest.headers.get('content-type'), OCI_MANIFEST);
      const blob = `${registry.url}/v2/team/app/blobs/${sha256(large)}`;
      assert.equal((await fetch(blob, { method: 'HEAD' })).headers.get('content-length'), String(large.length));

      const url = `${registry.url}/v2/team/app/manifests/${image.digest}`;
      assert.equal((await fetch(url, { method: 'DELETE' })).status, 202);
      await waitFor(
        async () => {
          await registry.server.collect({ dryRun: false, untagged: true });
          return registry.server.status().blobs === 0;
        },
        { timeoutMs: 10_000, what: 'the blobs are gone' },
      );
      assert.equal((await fetch(blob)).status, 404);
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
    await using empty = await openTestRegistry({ settings: settings() });
    assert.deepEqual(empty.server.repositories(), []);
  });

  it('says what is wrong with a bucket', async () => {
    const { storage } = settings();
    const wrong = { storage: { ...storage, bucket: 'no-such-bucket' } as RegistryServerSettings['storage'] };
    await assert.rejects(openTestRegistry({ settings: wrong }), { code: 'registry-bucket-unusable' });
    const away = { storage: { ...storage, endpoint: 'http://127.0.0.1:1' } as RegistryServerSettings['storage'] };
    await assert.rejects(openTestRegistry({ settings: away }), { code: 'registry-bucket-unusable' });
  });
});
