import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { type Exchange, exchange } from './exchange.ts';

/** What the server does with one request; told by the path. */
const ROUTES: Readonly<Record<string, (request: IncomingMessage, response: ServerResponse) => void>> = {
  '/echo': (request, response) => void request.pipe(response),
  '/head': ({ method, headers }, response) =>
    void response.end(
      JSON.stringify({ method, length: headers['content-length'], coding: headers['transfer-encoding'] }),
    ),
  '/missing': (_, response) => void response.writeHead(404).end('not there'),
  '/silent': (_, response) => void response.socket?.destroy(),
  '/waits': (_, response) => void response.write('first'),
};

describe('an exchange over a socket', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bascule-exchange-'));
  const socket = join(folder, 'api.sock');
  const server = createServer((request, response) => ROUTES[request.url ?? '']?.(request, response));
  before(() => new Promise<void>((resolve) => server.listen(socket, resolve)));
  after(() => {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true });
  });
  const ask = async (request: Partial<Exchange> & Pick<Exchange, 'path'>): Promise<[number, Buffer]> => {
    const { status, body } = await exchange(socket, { method: 'POST', headers: { host: 'bascule' }, ...request });
    return [status, Buffer.concat(await Array.fromAsync(body))];
  };

  it('carries a text, and the status of the answer', async () => {
    assert.deepEqual(await ask({ path: '/echo', body: 'Grüße' }), [200, Buffer.from('Grüße')]);
    assert.deepEqual(await ask({ path: '/missing' }), [404, Buffer.from('not there')]);
  });

  it('carries streams of any size, both ways at once', async () => {
    const pieces = Array.from({ length: 200 }, (_, index) => Buffer.alloc(50_000 + index, index));
    const [, echoed] = await ask({ path: '/echo', body: Readable.from([Buffer.alloc(0), ...pieces]) });
    assert.ok(echoed.equals(Buffer.concat(pieces)));
  });

  it('says how long its body is, where it has one', async () => {
    const headOf = async (request: Partial<Exchange>) =>
      JSON.parse(String((await ask({ path: '/head', ...request }))[1])) as unknown;
    assert.deepEqual(await headOf({ method: 'GET' }), { method: 'GET' });
    assert.deepEqual(await headOf({}), { method: 'POST', length: '0' });
    assert.deepEqual(await headOf({ body: 'four' }), { method: 'POST', length: '4' });
    assert.deepEqual(await headOf({ body: Readable.from([Buffer.from('x')]) }), { method: 'POST', coding: 'chunked' });
  });

  it('fails as the socket does', async () => {
    await assert.rejects(ask({ path: '/silent' }), { code: 'ECONNRESET' });
    await assert.rejects(exchange(join(folder, 'none.sock'), { method: 'GET', path: '/', headers: {} }), {
      code: 'ENOENT',
    });
    await assert.rejects(ask({ path: '/two words' }), /not encoded/);
  });

  it('fails where what is sent does, and ends with its signal', async () => {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('one');
        throw new Error('the disk is gone');
      })(),
    );
    await assert.rejects(ask({ path: '/echo', body: broken }), /the disk is gone/);
    const stop = new AbortController();
    const { body } = await exchange(socket, {
      method: 'GET',
      path: '/waits',
      headers: { host: 'x' },
      signal: stop.signal,
    });
    assert.equal(String((await body.next()).value), 'first');
    const more = body.next();
    stop.abort();
    await assert.rejects(more, { name: 'AbortError' });
  });

  it('ends when the answer is left', async () => {
    const { body, leave } = await exchange(socket, { method: 'GET', path: '/waits', headers: { host: 'x' } });
    await body.next();
    const more = body.next();
    leave();
    await assert.rejects(more, { code: 'ECONNRESET' });
  });
});
