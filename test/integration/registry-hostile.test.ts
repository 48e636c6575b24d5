import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { UserError } from '../../src/lib/errors.ts';
import { digestOf } from '../../src/lib/oci/index.ts';
import { tarOf } from '../support/image-archives.ts';
import { EMPTY, whyNoLayers } from '../support/image-bench.ts';
import { OddRegistry } from '../support/odd-registry.ts';
import { RegistryBench } from '../support/registry-bench.ts';

const GZIP = 'application/vnd.oci.image.layer.v1.tar+gzip';
const FOREIGN = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
const PASSWORD = 'the password of the registry';

/** Somebody else: asks for credentials whatever is asked of it, and offers to take them itself. */
class Thief implements AsyncDisposable {
  readonly seen: IncomingMessage[] = [];
  readonly #server: Server = createServer((request, response) => {
    this.seen.push(request);
    if (request.url?.startsWith('/token') === true) return void response.end(JSON.stringify({ token: 'x' }));
    response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${this.host}/token",service="thief"` }).end();
  });

  async start(): Promise<this> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return this;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** What of credentials it got. */
  loot(): readonly string[] {
    return this.seen.flatMap(({ headers, url }) => {
      const { authorization } = headers;
      return [...(authorization === undefined ? [] : [authorization]), ...(url?.startsWith('/token') ? [url] : [])];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

async function withThief(work: (odd: OddRegistry, bench: RegistryBench, thief: Thief) => Promise<void>): Promise<void> {
  await using odd = await new OddRegistry().start();
  await using thief = await new Thief().start();
  await using bench = await new RegistryBench({
    limits: { firstDelayMs: 2, idleMs: 1_000 },
    findCredential: async () => ({ kind: 'password', username: 'anna', password: PASSWORD }),
  }).open();
  await work(odd, bench, thief);
}

async function someLayer(mediaType: string, content: Buffer | string = 'a') {
  const tar = await tarOf([{ header: { name: 'file' }, content }]);
  return { blob: gzipSync(tar), diffId: digestOf(tar), mediaType };
}

/** It fails with a word for people, and leaves nothing. */
async function refused(odd: OddRegistry, bench: RegistryBench): Promise<void> {
  await assert.rejects(bench.client.pull(`${odd.host}/odd:1`, {}), (error) => {
    assert.ok(error instanceof UserError, String(error));
    return true;
  });
  assert.deepEqual(bench.contents(), EMPTY);
}

describe('credentials of a registry', { skip: whyNoLayers() }, () => {
  it('do not go where a manifest says that a layer is (urls)', () =>
    withThief(async (odd, bench, thief) => {
      const layer = await someLayer(FOREIGN);
      odd.image('1', [layer], { layer: { urls: [`http://${thief.host}/layer`] } });
      odd.blobs.delete(digestOf(layer.blob));
      await refused(odd, bench);
      assert.ok(thief.seen.length > 0, 'the layer was looked for there');
      assert.deepEqual(thief.loot(), []);
    }));

  it('do not go where the registry redirects to, whatever is asked there', () =>
    withThief(async (odd, bench, thief) => {
      odd.image('1', [await someLayer(GZIP)]);
      odd.interfere = (request, response) => {
        if (!request.url!.includes('/blobs/')) return false;
        response.writeHead(307, { location: `http://${thief.host}/storage` }).end();
        return true;
      };
      await refused(odd, bench);
      assert.ok(thief.seen.length > 0, 'the redirection was followed');
      assert.deepEqual(thief.loot(), []);
    }));
});

describe('a registry whose lists are none', { skip: whyNoLayers() }, () => {
  it('is not listened to for long', () =>
    withThief(async (odd, bench) => {
      let asked = 0;
      odd.interfere = (request, response) => {
        if (!request.url!.includes('/tags/list')) return false;
        asked += 1;
        response.writeHead(200, { link: `</v2/odd/tags/list?last=${asked}>; rel="next"` });
        response.end(JSON.stringify({ name: 'odd', tags: ['x'.repeat(10_000_000)] }));
        return true;
      };
      await assert.rejects(bench.client.tags(`${odd.host}/odd`, {}), { code: 'registry-invalid' });
      assert.equal(asked, 1);
    }));
});

describe('an image that makes the client call others', { skip: whyNoLayers() }, () => {
  it('is limited to a few addresses a layer', () =>
    withThief(async (odd, bench, thief) => {
      const layer = await someLayer(FOREIGN);
      const urls = Array.from({ length: 200 }, (_, at) => `http://${odd.host}/nowhere/${at}`);
      odd.image('1', [layer], { layer: { urls } });
      odd.blobs.delete(digestOf(layer.blob));
      await refused(odd, bench);
      assert.equal(odd.requests.filter((line) => line.includes('/nowhere/')).length, 3);
      assert.deepEqual(thief.seen, []);
    }));
});
