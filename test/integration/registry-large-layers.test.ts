import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import { digestOf } from '../../src/lib/oci/index.ts';
import { tarOf } from '../support/image-archives.ts';
import { EMPTY, whyNoLayers } from '../support/image-bench.ts';
import { OddRegistry } from '../support/odd-registry.ts';
import { openTestRegistry } from '../support/registry.ts';
import { RegistryBench } from '../support/registry-bench.ts';
import { waitFor } from '../support/wait.ts';

const skip = whyNoLayers();
/** More than what is sent whole. */
const LARGE_BYTES = 12_000_000;
const GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** What a registry has of one upload. */
interface Upload {
  /** Of bodies, by method, in their order. */
  readonly asked: string[];
  got: Buffer;
  whole: Buffer | undefined;
}

/** Takes one upload; `refuses` may answer or break off before its content is taken. */
function takeUpload(
  odd: OddRegistry,
  refuses: (request: IncomingMessage, response: ServerResponse, upload: Upload) => boolean = () => false,
): Upload {
  const upload: Upload = { asked: [], got: Buffer.alloc(0), whole: undefined };
  odd.interfere = (request, response) => {
    const url = new URL(request.url!, 'http://x');
    const { method } = request;
    if (method === 'HEAD' || url.pathname === '/v2/') return false;
    if (url.pathname.includes('/manifests/')) return (request.resume(), response.writeHead(201).end(), true);
    if (method === 'POST') return (response.writeHead(202, { location: '/v2/up/blobs/uploads/1?state=a' }).end(), true);
    const isSized = request.headers['content-length'] !== undefined;
    upload.asked.push(`${method}${isSized ? '' : ' of unknown length'}`);
    if (refuses(request, response, upload)) return true;
    if (method === 'GET') return (response.writeHead(204, { range: `0-${upload.got.length - 1}` }).end(), true);
    if (method === 'DELETE') return (response.writeHead(204).end(), true);
    request.on('data', (data: Buffer) => (upload.got = Buffer.concat([upload.got, data])));
    request.on('end', () => {
      const range = `0-${upload.got.length - 1}`;
      if (method === 'PATCH') return void response.writeHead(202, { range, location: request.url }).end();
      assert.equal(digestOf(upload.got), url.searchParams.get('digest'));
      upload.whole ??= upload.got;
      upload.got = Buffer.alloc(0);
      response.writeHead(201).end();
    });
    return true;
  };
  return upload;
}

async function pushLarge(odd: OddRegistry, bench: RegistryBench): Promise<void> {
  const name = `${odd.host}/up:1`;
  await bench.step(undefined, (root) => writeFileSync(join(root, 'large'), randomBytes(LARGE_BYTES)), [name]);
  await bench.client.push(name, { onProgress: bench.onProgress });
}

async function withBoth(work: (odd: OddRegistry, bench: RegistryBench) => Promise<void>): Promise<void> {
  await using odd = await new OddRegistry().start();
  await using bench = await new RegistryBench({ limits: { firstDelayMs: 2, idleMs: 20_000 } }).open();
  await work(odd, bench);
  assert.deepEqual(readdirSync(bench.path('engine/registry')), []);
}

describe('a large layer that is pushed', { skip }, () => {
  it('goes out while it is compressed', () =>
    withBoth(async (odd, bench) => {
      const upload = takeUpload(odd);
      await pushLarge(odd, bench);
      assert.deepEqual(upload.asked.slice(0, 2), ['PATCH of unknown length', 'PUT']);
      const [layer] = bench.store.layersOf(bench.store.list()[0]!.id);
      assert.equal(digestOf(gunzipSync(upload.whole!)), layer!.diffId);
    }));

  it('goes on where the connection broke off', () =>
    withBoth(async (odd, bench) => {
      const upload = takeUpload(odd, (request, _response, seen) => {
        if (seen.asked.length > 1) return false;
        request.on('data', (data: Buffer) => {
          seen.got = Buffer.concat([seen.got, data]);
          if (seen.got.length > 1_000_000) request.destroy();
        });
        return true;
      });
      await pushLarge(odd, bench);
      assert.deepEqual(upload.asked.slice(0, 3), ['PATCH of unknown length', 'GET of unknown length', 'PATCH']);
      assert.ok(upload.whole!.length > LARGE_BYTES);
      assert.ok(bench.states().includes('retrying'));
    }));

  it('goes out whole where its length has to be told', () =>
    withBoth(async (odd, bench) => {
      const upload = takeUpload(odd, (request, response, seen) => {
        if (seen.asked.at(-1) !== 'PATCH of unknown length') return false;
        request.resume();
        response.writeHead(411).end();
        return true;
      });
      await pushLarge(odd, bench);
      assert.deepEqual(upload.asked.slice(0, 3), ['PATCH of unknown length', 'DELETE of unknown length', 'PUT']);
      assert.ok(upload.whole!.length > LARGE_BYTES);
    }));

  it('that is damaged here is taken back', () =>
    withBoth(async (odd, bench) => {
      const upload = takeUpload(odd);
      const name = `${odd.host}/up:1`;
      await bench.step(undefined, (root) => writeFileSync(join(root, 'large'), randomBytes(LARGE_BYTES)), [name]);
      const [layer] = bench.store.layersOf(bench.store.get(name).id);
      writeFileSync(join(layer!.directory, 'large'), randomBytes(LARGE_BYTES));
      await assert.rejects(bench.client.push(name, {}), { code: 'layer-damaged' });
      assert.equal(upload.whole, undefined);
      assert.equal(upload.asked.at(-1), 'DELETE of unknown length');
    }));
});

describe('a process that is killed', { skip }, () => {
  const victims: ChildProcess[] = [];
  const left: string[] = [];
  after(() => {
    for (const victim of victims) victim.kill('SIGKILL');
    for (const directory of left) rmSync(directory, { recursive: true, force: true });
  });

  /** Starts it; gives the folder of its store. */
  async function start(what: 'pull' | 'push', name: string) {
    const program = join(import.meta.dirname, '../support/transfer-victim.ts');
    const victim = spawn(process.execPath, [program, what, name], { stdio: ['ignore', 'pipe', 'inherit'] });
    victims.push(victim);
    let said = '';
    victim.stdout.on('data', (data: Buffer) => (said += data.toString()));
    const ended = once(victim, 'exit');
    const directory = await waitFor(() => /^(.+)\n/.exec(said)?.[1], { timeoutMs: 60_000, what: 'its store is open' });
    left.push(directory);
    return { directory, kill: async () => (victim.kill('SIGKILL'), await ended) };
  }

  it('while it pulls leaves what was whole, and nothing else', async () => {
    await using odd = await new OddRegistry().start();
    const first = await layerOf([{ header: { name: 'first' }, content: 'whole' }]);
    const second = await layerOf([
      { header: { name: 'second' }, content: 'comes early' },
      { header: { name: 'rest' }, content: randomBytes(LARGE_BYTES) },
    ]);
    odd.image('1', [first, second]);
    const half = second.blob.subarray(0, second.blob.length / 2);
    odd.interfere = (request, response) => {
      if (!request.url!.endsWith(digestOf(second.blob))) return false;
      response.writeHead(200, { 'content-length': second.blob.length }).write(half); // and no more
      return true;
    };
    const victim = await start('pull', `${odd.host}/odd:1`);
    const engine = join(victim.directory, 'engine');
    const unpacked = (): boolean =>
      readdirSync(join(engine, 'uppers')).some((upper) => existsSync(join(engine, 'uppers', upper, 'upper/second')));
    const isHalf = (): boolean => readdirSync(join(engine, 'layers')).length === 1 && unpacked();
    await waitFor(isHalf, { timeoutMs: 60_000, what: 'one layer is there, and some of the other' });
    await victim.kill();
    await waitFor(() => !isNamed(engine), { timeoutMs: 20_000, what: 'the programs of the victim have ended' });

    odd.interfere = () => false;
    odd.requests.length = 0;
    await using next = await new RegistryBench({ directory: victim.directory }).open();
    assert.deepEqual(next.store.list(), []);
    assert.deepEqual({ ...next.contents(), layers: [], 'blobs/sha256': [] }, EMPTY);
    assert.ok(next.store.findLayer(first.diffId) !== undefined && next.store.findLayer(second.diffId) === undefined);
    const { image } = await next.client.pull(`${odd.host}/odd:1`, {});
    assert.ok(!odd.requests.some((line) => line.includes(digestOf(first.blob))), 'it is not fetched again');
    const [, layer] = next.store.layersOf(image.id);
    assert.equal(readFileSync(join(layer!.directory, 'second'), 'utf8'), 'comes early');
  });

  it('while it pushes has the image still, and pushes it the next time', async () => {
    await using odd = await new OddRegistry().start();
    let got = 0;
    takeUpload(odd, (request) => {
      request.on('data', ({ length }: Buffer) => {
        got += length;
        if (got > 2_000_000) request.pause(); // and nobody goes on
      });
      return true;
    });
    const victim = await start('push', `${odd.host}/up:1`);
    await waitFor(() => got > 2_000_000, { timeoutMs: 60_000, what: 'some of the layer has gone out' });
    await victim.kill();
    assert.equal(readdirSync(join(victim.directory, 'engine/registry')).length, 1);

    await using registry = await openTestRegistry();
    await using next = await new RegistryBench({ directory: victim.directory }).open();
    assert.deepEqual(readdirSync(next.path('engine/registry')), []);
    assert.deepEqual({ ...next.contents(), layers: [], 'blobs/sha256': [] }, EMPTY);
    const image = next.store.get(`${odd.host}/up:1`);
    next.store.tag(image.id, `${registry.host}/up:1`);
    await next.client.push(`${registry.host}/up:1`, {});
    await using other = await new RegistryBench().open();
    assert.equal((await other.client.pull(`${registry.host}/up:1`, {})).image.id, image.id);
  });
});

async function layerOf(members: Parameters<typeof tarOf>[0]) {
  const tar = await tarOf(members);
  return { blob: gzipSync(tar), diffId: digestOf(tar), mediaType: GZIP };
}

/** Whether some other process was started with this folder. */
function isNamed(folder: string): boolean {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .some((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(folder);
      } catch {
        return false; // it has just ended
      }
    });
}
