import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { digestOf } from '../../src/lib/oci/index.ts';
import { scopeOf } from '../../src/lib/scope.ts';
import { ImageBench, whyNoLayers } from '../support/image-bench.ts';
import { OCI_MANIFEST, openTestRegistry, pushBlob, pushImage, sha256 } from '../support/registry.ts';
import { waitFor } from '../support/wait.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'bin', 'bascule');
const CONFIG = 'application/vnd.oci.image.config.v1+json';
const PLAIN_LAYER = 'application/vnd.oci.image.layer.v1.tar';

describe("the engine's store behind a registry", { skip: whyNoLayers() }, () => {
  it('gives layers and configurations without a copy, and keeps the layers that a manifest names', async () => {
    await using bench = await new ImageBench().open();
    const image = await bench.step(undefined, (root) => {
      writeFileSync(join(root, 'random'), randomBytes(300_000));
      writeFileSync(join(root, 'text'), 'text');
    });
    const [layer] = bench.store.layersOf(image.id);
    const diffId = layer!.diffId;
    const tarBytes = bench.store.layerTarBytes(diffId);
    await using registry = await openTestRegistry({ images: bench.store, settings: { graceMs: 0 } });
    const at = (path: string, init?: RequestInit): Promise<Response> => fetch(`${registry.url}/v2/app/${path}`, init);

    assert.equal((await at(`blobs/${diffId}`)).status, 404); // who only reads is told nothing of the engine
    const head = await at(`blobs/${diffId}`, { method: 'HEAD' });
    assert.equal(head.status, 200);
    assert.equal(head.headers.get('content-length'), String(tarBytes));
    const text = JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: { mediaType: CONFIG, digest: image.id, size: bench.store.configBytes(image.id).length },
      layers: [{ mediaType: PLAIN_LAYER, digest: diffId, size: tarBytes }],
    });
    const put = await at('manifests/v1', { method: 'PUT', headers: { 'content-type': OCI_MANIFEST }, body: text });
    assert.equal(put.status, 201);
    assert.equal(registry.server.status().sharedBlobs, 1);
    assert.equal(registry.server.status().blobBytes, bench.store.configBytes(image.id).length);

    const tar = await tarOf(bench, diffId);
    assert.equal(digestOf(tar), diffId);
    assert.deepEqual(Buffer.from(await (await at(`blobs/${diffId}`)).arrayBuffer()), tar);
    for (const [start, end] of [
      [0, 9],
      [100_000, 250_000],
      [tarBytes - 5, tarBytes - 1],
    ] as const) {
      const part = await at(`blobs/${diffId}`, { headers: { range: `bytes=${start}-${end}` } });
      assert.equal(part.status, 206);
      assert.deepEqual(Buffer.from(await part.arrayBuffer()), tar.subarray(start, end + 1));
    }
    assert.equal((await at(`blobs/${image.id}`)).status, 200);

    await bench.store.remove(image.id, { force: true, usersOf: () => [] });
    await bench.store.collectLayers();
    assert.ok(bench.store.findLayer(diffId) !== undefined);
    assert.equal(digestOf(Buffer.from(await (await at(`blobs/${image.id}`)).arrayBuffer())), image.id);
    assert.equal((await at('manifests/v1', { method: 'DELETE' })).status, 202);
    await registry.server.collect({ dryRun: false, untagged: true });
    assert.equal(registry.server.status().blobs, 0);
  });

  it('takes a layer that is gone from it again', async () => {
    await using bench = await new ImageBench().open();
    await using registry = await openTestRegistry({ images: bench.store });
    const image = await bench.step(undefined, (root) => writeFileSync(join(root, 'a'), 'a'));
    const diffId = bench.store.layersOf(image.id)[0]!.diffId;
    const tar = Buffer.from(await tarOf(bench, diffId));
    assert.equal((await fetch(`${registry.url}/v2/a/blobs/${diffId}`, { method: 'HEAD' })).status, 200);
    await registry.server.close(); // nobody retains it any more
    await bench.store.remove(image.id, { force: true, usersOf: () => [] });
    await bench.store.collectLayers();
    assert.equal(bench.store.findLayer(diffId), undefined);
    await using again = await openTestRegistry({ images: bench.store, directory: registry.directory });
    assert.equal((await fetch(`${again.url}/v2/a/blobs/${diffId}`, { method: 'HEAD' })).status, 404);
    assert.equal((await pushBlob(again.url, 'a', tar)).digest, diffId);
    const given = await fetch(`${again.url}/v2/a/blobs/${diffId}`);
    assert.deepEqual(Buffer.from(await given.arrayBuffer()), tar);
  });
});

describe('uploads', () => {
  const data = randomBytes(3_000_000);

  it('go on after a kill -9 where they were, and the digest is that of the whole', async () => {
    const root = mkdtempSync(join(tmpdir(), 'bascule-registry-killed-'));
    try {
      const first = await serve(root);
      const location = await begin(first.url, 'killed');
      const whole = await patch(first.url, location, { start: 0, body: data.subarray(0, 1_000_000) });
      assert.equal(whole.status, 202);
      const broken = openPatch(first.url, location, data.subarray(1_000_000, 2_000_000));
      await waitFor(async () => (await offsetOf(first.url, location)) > 1_000_000, {
        timeoutMs: 10_000,
        what: 'some of the second chunk is on the disk',
      });
      await end(first.child, 'SIGKILL');
      broken.destroy();
      const second = await serve(root);
      const offset = await offsetOf(second.url, location);
      assert.ok(offset > 1_000_000 && offset <= 2_000_000, String(offset));
      const rest = await patch(second.url, location, { start: offset, body: data.subarray(offset) });
      assert.equal(rest.status, 202);
      const ended = await fetch(`${second.url}${location}?digest=${sha256(data)}`, { method: 'PUT' });
      assert.equal(ended.status, 201);
      const given = await fetch(`${second.url}/v2/killed/blobs/${sha256(data)}`);
      assert.equal(sha256(Buffer.from(await given.arrayBuffer())), sha256(data));
      await end(second.child, 'SIGTERM');
      assert.deepEqual(readdirSync(join(root, 'registry', 'uploads')), []);
    } finally {
      rmSync(scopeOf(root).runDirectory, { recursive: true, force: true });
      rmSync(root, { recursive: true, force: true });
    }
  });

  it('keep what came of a chunk that broke off, and let a client that comes anew take over', async () => {
    await using registry = await openTestRegistry();
    const location = await begin(registry.url, 'broken');
    const stalled = openPatch(registry.url, location, data.subarray(0, 1_000_000));
    await waitFor(async () => (await offsetOf(registry.url, location)) > 0, {
      timeoutMs: 10_000,
      what: 'some of the chunk has come',
    });
    const early = await fetch(`${registry.url}${location}?digest=${sha256(data)}`, { method: 'PUT' });
    assert.equal(early.status, 400); // what is there is not all
    stalled.destroy();

    const other = await begin(registry.url, 'broken');
    const slow = openPatch(registry.url, other, data.subarray(0, 1_000_000));
    const offset = await waitFor(() => offsetOf(registry.url, other), { timeoutMs: 10_000, what: 'some has come' });
    const refused = await patch(registry.url, other, { start: offset + 1, body: data.subarray(offset + 1) });
    assert.equal(refused.status, 416);
    const now = await offsetOf(registry.url, other);
    assert.equal((await patch(registry.url, other, { start: now, body: data.subarray(now) })).status, 202);
    slow.destroy();
    assert.equal((await fetch(`${registry.url}${other}?digest=${sha256(data)}`, { method: 'PUT' })).status, 201);
  });

  it('of the same blob by two clients at once end well, with one blob', async () => {
    await using registry = await openTestRegistry();
    await Promise.all(Array.from({ length: 8 }, (_, n) => pushBlob(registry.url, `same/${n % 4}`, data)));
    const { blobs, blobBytes, uploads } = registry.server.status();
    assert.deepEqual({ blobs, blobBytes, uploads }, { blobs: 1, blobBytes: data.length, uploads: 0 });
    for (const n of [0, 3])
      assert.equal((await fetch(`${registry.url}/v2/same/${n}/blobs/${sha256(data)}`, { method: 'HEAD' })).status, 200);
  });

  it('that nobody ends are dropped', async () => {
    await using registry = await openTestRegistry({ settings: { uploadExpiryMs: 0 } });
    const location = await begin(registry.url, 'old');
    await patch(registry.url, location, { start: 0, body: data.subarray(0, 10) });
    const found = await waitFor(
      async () => (await registry.server.collect({ dryRun: false, untagged: false })).uploads,
      {
        timeoutMs: 5_000,
        what: 'the upload is old enough',
      },
    );
    assert.equal(found, 1);
    assert.equal((await fetch(`${registry.url}${location}`)).status, 404);
    assert.deepEqual(readdirSync(join(registry.directory, 'uploads')), []);
  });
});

describe('garbage collection', () => {
  it('takes what no manifest needs, and nothing else; the dry run says the same', async () => {
    await using registry = await openTestRegistry({ settings: { graceMs: 0 } });
    const { url, server } = registry;
    const kept = await pushImage(url, 'gc/app', { reference: 'v1' });
    const subject = { mediaType: OCI_MANIFEST, digest: kept.digest, size: kept.size };
    const referrer = await pushImage(url, 'gc/app', { members: { subject, artifactType: 'a/sbom' } });
    const untagged = await pushImage(url, 'gc/app');
    const lonely = await pushBlob(url, 'gc/blobs', randomBytes(500));
    const pushedAt = Date.now();
    await waitFor(() => Date.now() > pushedAt + 5, { timeoutMs: 15_000, what: '5 ms after the last push' });
    const small = await server.collect({ dryRun: true, untagged: false });
    assert.deepEqual(small, { manifests: 0, blobs: 1, freedBytes: 500, uploads: 0, repositories: 1 });
    const foreseen = await server.collect({ dryRun: true, untagged: true });
    const done = await server.collect({ dryRun: false, untagged: true });
    assert.deepEqual(done, foreseen);
    assert.deepEqual(done, { manifests: 1, blobs: 2, freedBytes: 1_500, uploads: 0, repositories: 1 });
    const status = async (path: string): Promise<number> =>
      (await fetch(`${url}/v2/${path}`, { method: 'HEAD' })).status;
    assert.equal(await status(`gc/blobs/blobs/${lonely.digest}`), 404);
    assert.equal(await status(`gc/app/manifests/${untagged.digest}`), 404);
    assert.equal(await status(`gc/app/blobs/${untagged.layer}`), 404);
    for (const image of [kept, referrer]) {
      assert.equal(await status(`gc/app/manifests/${image.digest}`), 200);
      assert.equal(await status(`gc/app/blobs/${image.layer}`), 200);
      assert.equal(await status(`gc/app/blobs/${image.config}`), 200);
    }
  });

  it('leaves what was pushed just now, and sweeps files that a crash left', async () => {
    await using registry = await openTestRegistry();
    const blob = await pushBlob(registry.url, 'fresh', randomBytes(100));
    const found = await registry.server.collect({ dryRun: false, untagged: true });
    assert.equal(found.blobs, 0);
    assert.equal((await fetch(`${registry.url}/v2/fresh/blobs/${blob.digest}`, { method: 'HEAD' })).status, 200);

    await using strict = await openTestRegistry({ settings: { graceMs: 0 } });
    const { digest } = await pushBlob(strict.url, 'known', Buffer.from('known'));
    const shard = join(strict.directory, 'blobs', 'sha256', digest.slice(7, 9));
    const orphan = `${digest.slice(7, 9)}${'0'.repeat(62)}`;
    writeFileSync(join(shard, orphan), 'left by a crash');
    const files = await waitFor(
      async () => {
        await strict.server.collect({ dryRun: false, untagged: false });
        return !readdirSync(shard).includes(orphan);
      },
      { timeoutMs: 15_000, what: 'the orphan is gone' },
    );
    assert.ok(files);
  });

  it('runs beside pushes: every manifest that was taken can be pulled whole', async () => {
    await using registry = await openTestRegistry({ settings: { graceMs: 30 } });
    const { url, server } = registry;
    const collecting = new AbortController();
    const collector = (async () => {
      while (!collecting.signal.aborted) await server.collect({ dryRun: false, untagged: true });
    })();
    const shared = randomBytes(2_000);
    const pushed: { digest: string; layers: readonly string[] }[] = [];
    let refused = 0;
    const push = async (n: number): Promise<void> => {
      const repository = `busy/${n % 3}`;
      const blobs = [await pushBlob(url, repository, shared), await pushBlob(url, repository, randomBytes(1_000))];
      const config = await pushBlob(url, repository, Buffer.from(`{"n":${n}}`));
      const text = JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers: blobs });
      const headers = { 'content-type': OCI_MANIFEST };
      const response = await fetch(`${url}/v2/${repository}/manifests/t${n}`, { method: 'PUT', headers, body: text });
      if (response.status !== 201) refused += 1; // the grace was too short: the client would begin anew
      else
        pushed.push({
          digest: `${repository}/manifests/t${n}`,
          layers: blobs.map(({ digest }) => `${repository}/blobs/${digest}`),
        });
    };
    for (let round = 0; round < 10; round++) await Promise.all([0, 1, 2, 3].map((n) => push(round * 4 + n)));
    collecting.abort();
    await collector;
    assert.equal(pushed.length + refused, 40);
    assert.ok(pushed.length > 0);
    for (const { digest, layers } of pushed)
      for (const path of [digest, ...layers]) assert.equal((await fetch(`${url}/v2/${path}`)).status, 200, path);
  });
});

describe('limits and figures', () => {
  it('closes a connection on which nothing moves', async () => {
    await using registry = await openTestRegistry({ settings: { idleTimeoutMs: 200 } });
    const socket = openPatch(registry.url, await begin(registry.url, 'idle'), randomBytes(100));
    await once(socket.resume(), 'close');
  });

  it('gives up on a client that asks and does not read', async () => {
    await using patient = await openTestRegistry();
    const { digest } = await pushBlob(patient.url, 'slow', Buffer.alloc(50_000_000));
    await patient.server.close();
    await using registry = await openTestRegistry({
      settings: { idleTimeoutMs: 200, metricsListen: { host: '127.0.0.1', port: 0 } },
      directory: patient.directory,
    });
    const socket = createConnection(Number(new URL(registry.url).port), '127.0.0.1');
    socket.on('error', () => {}).pause();
    socket.write(`GET /v2/slow/blobs/${digest} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await waitFor(
      async () =>
        (await (await fetch(`${registry.server.status().metrics}/metrics`)).text()).includes(
          'end_point="blob",status="0"} 1',
        ),
      { timeoutMs: 5_000, what: 'the answer was broken off' },
    );
    socket.destroy();
  });

  it('tells Prometheus what it does', async () => {
    await using registry = await openTestRegistry({ settings: { metricsListen: { host: '127.0.0.1', port: 0 } } });
    const image = await pushImage(registry.url, 'metrics', { reference: 'v1' });
    await (await fetch(`${registry.url}/v2/metrics/blobs/${image.layer}`)).arrayBuffer();
    const text = await waitFor(
      async () => {
        const told = await (await fetch(`${registry.server.status().metrics}/metrics`)).text();
        return told.includes('blob_sent_bytes_total 1000\n') ? told : undefined;
      },
      { timeoutMs: 15_000, what: 'the blob is counted' },
    );
    for (const line of [
      'bascule_registry_requests_total{method="PUT",end_point="manifest",status="201"} 1',
      'bascule_registry_repositories 1',
      'bascule_registry_tags 1',
      'bascule_registry_request_seconds_count{method="PUT",end_point="upload"} 2',
    ])
      assert.ok(text.includes(`\n${line}\n`), line);
  });
});

async function tarOf(bench: ImageBench, diffId: ReturnType<typeof digestOf>): Promise<Buffer> {
  const sink = new PassThrough();
  const [bytes] = await Promise.all([buffer(sink), bench.store.writeLayerTar(diffId, sink).then(() => sink.end())]);
  return bytes;
}

async function begin(url: string, repository: string): Promise<string> {
  const response = await fetch(`${url}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  return response.headers.get('location') ?? '';
}

function patch(url: string, location: string, o: { start: number; body: Buffer<ArrayBuffer> }): Promise<Response> {
  const headers = { 'content-range': `${o.start}-${o.start + o.body.length - 1}` };
  return fetch(`${url}${location}`, { method: 'PATCH', headers, body: o.body });
}

/** A chunk of which half comes, and then nothing. */
function openPatch(url: string, location: string, body: Buffer) {
  const socket = createConnection(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(`PATCH ${location} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
  socket.write(body.subarray(0, body.length / 2));
  return socket;
}

async function offsetOf(url: string, location: string): Promise<number> {
  const response = await fetch(`${url}${location}`);
  const last = Number(response.headers.get('range')?.split('-')[1]);
  return last === 0 ? 0 : last + 1;
}

/** `bascule registry serve` as a process of its own. */
async function serve(root: string): Promise<{ readonly child: ChildProcess; readonly url: string }> {
  const child = spawn(PROGRAM, ['registry', 'serve', '--root', root, '--listen', '127.0.0.1:0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  child.stdout.on('data', (part: Buffer) => (text += part.toString('utf8')));
  const url = await waitFor(() => /"address":"([^"]+)"/.exec(text)?.[1], { timeoutMs: 20_000, what: 'it listens' });
  return { child, url };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  const ended = once(child, 'exit');
  child.kill(signal);
  await ended;
}
