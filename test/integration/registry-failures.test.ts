import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { UserError } from '../../src/lib/errors.ts';
import { digestOf, type Digest } from '../../src/lib/oci/index.ts';
import { tarOf } from '../support/image-archives.ts';
import { EMPTY, whyNoLayers } from '../support/image-bench.ts';
import { OddRegistry, serveBlob } from '../support/odd-registry.ts';
import { RegistryBench } from '../support/registry-bench.ts';
import { waitFor } from '../support/wait.ts';

const GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip';
const ZSTD = 'application/vnd.oci.image.layer.v1.tar+zstd';
const PLAIN = 'application/vnd.oci.image.layer.v1.tar';

interface TestLayer {
  readonly blob: Buffer;
  readonly diffId: Digest;
  readonly mediaType: string;
}

async function layerOf(content: Buffer | string = 'a', name = 'file'): Promise<TestLayer> {
  const tar = await tarOf([{ header: { name }, content }]);
  return { blob: gzipSync(tar), diffId: digestOf(tar), mediaType: GZIP };
}

async function withBoth(work: (odd: OddRegistry, bench: RegistryBench) => Promise<void>): Promise<void> {
  await using odd = await new OddRegistry().start();
  await using bench = await new RegistryBench({
    limits: { firstDelayMs: 2, idleMs: 1_000, layerBytes: 5_000_000 },
  }).open();
  await work(odd, bench);
}

/** The pull fails with this code, and nothing of it is there. */
async function refused(odd: OddRegistry, bench: RegistryBench, code = 'registry-invalid'): Promise<void> {
  await assert.rejects(bench.client.pull(`${odd.host}/odd:1`, {}), (error) => {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.code, code, error.message);
    return true;
  });
  assert.deepEqual(bench.store.list(), []);
  assert.deepEqual(bench.contents(), EMPTY);
}

describe('a registry or network that breaks off', { skip: whyNoLayers() }, () => {
  it('is asked for the rest only', () =>
    withBoth(async (odd, bench) => {
      const layer = await layerOf(randomBytes(1_000_000));
      odd.image('1', [layer]);
      let cuts = 0;
      odd.interfere = (request, response) => {
        if (!request.url!.includes(digestOf(layer.blob)) || ++cuts > 3) return false;
        const start = Number(/\d+/.exec(request.headers.range ?? '')?.[0] ?? 0);
        const size = layer.blob.length;
        const range = { 'content-range': `bytes ${start}-${size - 1}/${size}` };
        response.writeHead(start === 0 ? 200 : 206, { 'content-length': size - start, ...(start > 0 && range) });
        response.write(layer.blob.subarray(start, start + 200_000), () => response.destroy());
        return true;
      };
      await bench.client.pull(`${odd.host}/odd:1`, { onProgress: bench.onProgress });
      const asked = odd.requests.filter((line) => line.includes(digestOf(layer.blob)));
      assert.equal(asked.length, 4);
      assert.ok(
        asked.slice(1).every((line) => line.includes('bytes=')),
        String(asked),
      );
      assert.ok(bench.states().includes('retrying'));
    }));

  it('may give everything again, or answer 503 and 429 for a while', () =>
    withBoth(async (odd, bench) => {
      const layer = await layerOf(randomBytes(300_000));
      odd.image('1', [layer]);
      let turn = 0;
      odd.interfere = (request, response) => {
        if (request.url === '/v2/') return false;
        turn++;
        if (turn % 3 === 1) response.writeHead(503).end();
        else if (turn % 3 === 2) response.writeHead(429, { 'retry-after': '0' }).end();
        else if (turn === 9) {
          response.writeHead(200, { 'content-length': layer.blob.length });
          response.write(layer.blob.subarray(0, 100_000), () => response.destroy());
        } else {
          delete request.headers.range;
          return false;
        }
        return true;
      };
      await bench.client.pull(`${odd.host}/odd:1`, {});
    }));

  it('is given up after some attempts, and at once when we are told to stop', () =>
    withBoth(async (odd, bench) => {
      const layer = await layerOf(randomBytes(300_000));
      odd.image('1', [layer]);
      const hang: ((value: unknown) => void)[] = [];
      odd.interfere = (request, response) => {
        if (!request.url!.includes(digestOf(layer.blob))) return false;
        if (hang.length === 0) response.destroy();
        else {
          response.writeHead(200).write(layer.blob.subarray(0, 1_000));
          hang[0]?.(undefined);
        }
        return true;
      };
      await refused(odd, bench, 'registry-unreachable');
      const began = new Promise((resolve) => hang.push(resolve));
      const abort = new AbortController();
      const pull = bench.client.pull(`${odd.host}/odd:1`, { signal: abort.signal });
      await began;
      abort.abort(new Error('enough'));
      await assert.rejects(pull, /enough|aborted/);
      await waitFor(() => bench.contents()['uppers']!.length === 0, { timeoutMs: 15_000, what: 'nothing is left' });
      assert.deepEqual(bench.contents(), EMPTY);
    }));

  it('that is silent is not waited for for ever', () =>
    withBoth(async (odd, bench) => {
      odd.image('1', [await layerOf()]);
      odd.interfere = (request) => request.url!.includes('/manifests/');
      await refused(odd, bench, 'registry-unreachable');
    }));
});

describe('hostile and broken registries', { skip: whyNoLayers() }, () => {
  type Case = readonly [what: string, make: (odd: OddRegistry) => Promise<void>, code?: string];
  const cases: readonly Case[] = [
    [
      'a blob that is another',
      async (odd) => {
        const layer = await layerOf('good');
        odd.image('1', [layer]);
        odd.blobs.set(digestOf(layer.blob), Buffer.alloc(layer.blob.length, 'x'));
      },
    ],
    [
      'a blob that is cut off and calls itself whole',
      async (odd) => {
        const layer = await layerOf(randomBytes(5_000));
        odd.image('1', [layer]);
        odd.blobs.set(digestOf(layer.blob), layer.blob.subarray(0, 3_000));
      },
    ],
    [
      'a blob that goes on',
      async (odd) => {
        const layer = await layerOf();
        odd.image('1', [layer]);
        odd.blobs.set(digestOf(layer.blob), Buffer.concat([layer.blob, Buffer.from('more')]));
      },
    ],
    [
      'something after the compressed data',
      async (odd) => {
        const layer = await layerOf();
        odd.image('1', [{ ...layer, blob: Buffer.concat([layer.blob, randomBytes(100_000)]) }]);
      },
    ],
    [
      'a layer that is not what the configuration says',
      async (odd) => void odd.image('1', [{ ...(await layerOf()), diffId: digestOf('another') }]),
      'archive-invalid',
    ],
    [
      'damaged gzip',
      async (odd) => {
        const layer = await layerOf(randomBytes(5_000));
        const blob = Buffer.from(layer.blob);
        blob.fill(0, 2_000, 3_000);
        odd.image('1', [{ ...layer, blob }]);
      },
    ],
    [
      'a name that climbs out',
      async (odd) => {
        odd.image('1', [await layerOf('x', '../../escaped')]);
      },
      'archive-invalid',
    ],
    [
      'a bomb of gzip',
      async (odd) => {
        odd.image('1', [await layerOf(Buffer.alloc(20_000_000))]);
      },
      'archive-invalid',
    ],
    [
      'a bomb of zstd',
      async (odd) => {
        const tar = await tarOf([{ header: { name: 'a' }, content: Buffer.alloc(20_000_000) }]);
        odd.image('1', [{ blob: zstdCompressSync(tar), diffId: digestOf(tar), mediaType: ZSTD }]);
      },
      'archive-invalid',
    ],
    [
      'good layers before a bad one',
      async (odd) => {
        const tar = await tarOf([{ header: { name: 'good' }, content: 'good' }]);
        const good = { blob: tar, diffId: digestOf(tar), mediaType: PLAIN };
        odd.image('1', [good, { ...(await layerOf()), diffId: digestOf('another') }]);
      },
      'archive-invalid',
    ],
    [
      'fewer layers than diffIDs',
      async (odd) => {
        odd.image('1', [await layerOf()], { config: { rootfs: { type: 'layers', diff_ids: [] } } });
      },
    ],
    ['a configuration that is none', async (odd) => void odd.image('1', [await layerOf()], { config: { os: 5 } })],
    [
      'a manifest that is image and index at once',
      async (odd) => void odd.image('1', [await layerOf()], { manifest: { manifests: [] } }),
    ],
    [
      'a manifest that calls itself something else',
      async (odd) => {
        const bytes = Buffer.from(
          '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","layers":[]}',
        );
        odd.manifest('1', bytes, 'application/vnd.oci.image.manifest.v1+json');
      },
    ],
    [
      'a huge manifest',
      async (odd) => void odd.manifest('1', Buffer.alloc(5_000_000, ' '), 'application/vnd.oci.image.manifest.v1+json'),
    ],
    [
      'a manifest that is no JSON',
      async (odd) => void odd.manifest('1', Buffer.from('{'), 'application/vnd.oci.image.manifest.v1+json'),
    ],
    [
      'a manifest whose digest is another than it says',
      async (odd) => {
        odd.image('1', [await layerOf()]);
        odd.interfere = (_request, response) => {
          response.setHeader('docker-content-digest', digestOf('another'));
          return false;
        };
      },
    ],
    [
      'an index that names indexes without end',
      async (odd) => {
        odd.image('deep0', [await layerOf()]);
        let mediaType = 'application/vnd.oci.image.manifest.v1+json';
        for (let depth = 0; depth < 6; depth++) {
          const below = odd.manifests.get(`deep${depth}`)!.bytes;
          odd.index(`deep${depth + 1}`, [{ mediaType, digest: digestOf(below), size: below.length }]);
          mediaType = 'application/vnd.oci.image.index.v1+json';
        }
        odd.manifests.set('1', odd.manifests.get('deep6')!);
      },
    ],
    [
      'a digest that leads out of the folder',
      async (odd) => void odd.image('1', [await layerOf()], { layer: { digest: 'sha256:../../../etc/passwd' } }),
    ],
    [
      'a manifest of before 2016',
      async (odd) =>
        void odd.manifest(
          '1',
          Buffer.from('{"schemaVersion":1}'),
          'application/vnd.docker.distribution.manifest.v1+prettyjws',
        ),
      'manifest-outdated',
    ],
    [
      'a redirection without end',
      async (odd) => {
        odd.image('1', [await layerOf()]);
        odd.interfere = (request, response) => {
          if (!request.url!.includes('/blobs/')) return false;
          response.writeHead(307, { location: request.url }).end();
          return true;
        };
      },
    ],
    [
      'an artifact that is no image',
      async (odd) =>
        void odd.image('1', [], {
          manifest: { config: { mediaType: 'application/vnd.x', digest: digestOf(''), size: 0 } },
        }),
      'manifest-no-image',
    ],
    [
      'an image for Windows',
      async (odd) => void odd.image('1', [await layerOf()], { config: { os: 'windows' } }),
      'image-os-unsupported',
    ],
  ];
  for (const [what, make, code] of cases) {
    it(`refuses ${what}, and leaves nothing behind`, () =>
      withBoth(async (odd, bench) => {
        await make(odd);
        await refused(odd, bench, code);
      }));
  }

  it('get no credentials for where they redirect to', () =>
    withBoth(async (odd, bench) => {
      await using other = await new OddRegistry().start();
      const layer = await layerOf();
      odd.image('1', [layer]);
      const seen: (string | undefined)[] = [];
      odd.interfere = (request, response) => {
        if (request.headers.authorization === undefined) {
          response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
          return true;
        }
        if (!request.url!.includes(digestOf(layer.blob))) return false;
        response.writeHead(307, { location: `http://${other.host}/elsewhere` }).end();
        return true;
      };
      other.interfere = (request, response) => {
        seen.push(request.headers.authorization);
        serveBlob(request, response, layer.blob);
        return true;
      };
      const credential = { kind: 'password', username: 'a', password: 'b' } as const;
      await bench.client.pull(`${odd.host}/odd:1`, { credential });
      assert.deepEqual(seen, [undefined]);
    }));
});

describe('mirrors and foreign layers', { skip: whyNoLayers() }, () => {
  it('are asked first, and what they do not have comes from the registry', async () => {
    await using odd = await new OddRegistry().start();
    await using mirror = await new OddRegistry().start();
    const settings = { mirrors: { [odd.host]: [`http://${mirror.host}/proxy`] } };
    await using bench = await new RegistryBench({ settings }).open();
    const layers = [await layerOf('a'), await layerOf('b')];
    odd.image('1', layers);
    mirror.image('1', layers);
    mirror.blobs.delete(digestOf(layers[1]!.blob));
    await bench.client.pull(`${odd.host}/odd:1`, {});
    assert.ok(mirror.requests.some((line) => line.startsWith('GET /proxy/v2/odd/manifests/1')));
    assert.deepEqual(
      odd.requests.filter((line) => line !== 'GET /v2/'),
      [`GET /v2/odd/blobs/${digestOf(layers[1]!.blob)}`],
    );
  });

  it('come from where their manifest says', async () => {
    await using odd = await new OddRegistry().start();
    await using bench = await new RegistryBench().open();
    const layer = await layerOf();
    const mediaType = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
    odd.image('1', [{ ...layer, mediaType }], { layer: { urls: [`http://${odd.host}/v2/else/where`] } });
    odd.blobs.delete(digestOf(layer.blob));
    odd.interfere = (request, response) => {
      if (request.url !== '/v2/else/where') return false;
      serveBlob(request, response, layer.blob);
      return true;
    };
    await bench.client.pull(`${odd.host}/odd:1`, {});
  });
});

describe('uploads that break off', { skip: whyNoLayers() }, () => {
  for (const isRemembered of [true, false]) {
    it(isRemembered ? 'go on where they were' : 'begin anew where the registry forgot them', () =>
      withBoth(async (odd, bench) => {
        const name = `${odd.host}/up:1`;
        await bench.step(undefined, (root) => writeFileSync(join(root, 'a'), randomBytes(2_000_000)), [name]);
        let got: Buffer = Buffer.alloc(0);
        let cuts = 0;
        let whole: Buffer | undefined;
        odd.interfere = (request, response) => {
          const url = new URL(request.url!, 'http://x');
          if (request.method === 'HEAD') return false;
          if (request.method === 'POST') response.writeHead(202, { location: '/v2/up/blobs/uploads/1?state=a' }).end();
          else if (request.method === 'GET' && url.pathname.includes('/uploads/')) {
            if (isRemembered) response.writeHead(204, { range: `0-${got.length - 1}` }).end();
            else response.writeHead(404).end();
          } else if (request.method === 'PUT' || request.method === 'PATCH') {
            if (request.method === 'PUT' && cuts === 0) got = Buffer.alloc(0);
            request.on('data', (chunk: Buffer) => {
              got = Buffer.concat([got, chunk]);
              if (cuts > 0 || got.length < 500_000) return;
              cuts++;
              if (!isRemembered) got = Buffer.alloc(0);
              request.destroy();
            });
            request.on('end', () => {
              if (url.pathname.includes('/manifests/')) return void response.writeHead(201).end();
              if (request.method === 'PATCH')
                return void response.writeHead(202, { range: `0-${got.length - 1}`, location: request.url }).end();
              whole ??= got;
              assert.equal(digestOf(got), url.searchParams.get('digest'));
              got = Buffer.alloc(0);
              response.writeHead(201).end();
            });
          } else return false;
          return true;
        };
        await bench.client.push(name, { onProgress: bench.onProgress });
        assert.equal(cuts, 1);
        assert.ok(whole!.length > 1_900_000);
        assert.equal(
          odd.requests.some((line) => line.startsWith('PATCH')),
          isRemembered,
        );
        assert.ok(bench.states().includes('retrying'));
      }),
    );
  }
});
