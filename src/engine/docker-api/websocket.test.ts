import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { acceptLines, webSocketOver } from './websocket.ts';

const MASK = Buffer.of(1, 2, 3, 4);

/** As a client sends it. */
function masked(opcode: number, text: string): Buffer {
  const payload = Buffer.from(text).map((byte, i) => byte ^ MASK[i & 3]!);
  const size = payload.length < 126 ? [0x80 | payload.length] : [0xfe, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.of(0x80 | opcode, ...size), MASK, payload]);
}

function open() {
  const [input, output] = [new PassThrough(), new PassThrough()];
  return { input, output, connection: webSocketOver({ input, output }, 'binary') };
}

describe('a WebSocket', () => {
  it('is accepted as RFC 6455 says (section 1.3)', () => {
    assert.ok(acceptLines('dGhlIHNhbXBsZSBub25jZQ==').includes('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo='));
  });

  for (const size of [1, 7, 10_000])
    it(`gives what the client sends until its farewell, in pieces of ${size} bytes`, async () => {
      const { input, output, connection } = open();
      const long = 'long '.repeat(100);
      const frames = [masked(1, 'text '), masked(9, 'alive?'), masked(2, long), masked(2, ''), masked(8, '')];
      const sent = Buffer.concat([...frames, masked(2, 'too late')]);
      const received = buffer(connection.input);
      for (let at = 0; at < sent.length; at += size) input.write(sent.subarray(at, at + size));
      assert.equal((await received).toString(), `text ${long}`);
      assert.deepEqual(output.read(), Buffer.from('\x8a\x06alive?', 'latin1'));
    });

  it('sends a frame for each piece, and says farewell', async () => {
    const { output, connection } = open();
    const sent = buffer(output);
    const sizes = [5, 126, 70_000];
    for (const size of sizes) connection.output.write(Buffer.alloc(size, 'x'));
    connection.output.end();
    const heads = ['8205', '827e007e', '827f0000000000011170'];
    const all = await sent;
    let at = 0;
    for (const [i, size] of sizes.entries()) {
      const head = heads[i]!;
      assert.equal(all.subarray(at, at + head.length / 2).toString('hex'), head);
      at += head.length / 2 + size;
    }
    assert.equal(all.subarray(at).toString('hex'), '880203e8');
  });

  it('is cut where a client does not speak it', async () => {
    const { input, output, connection } = open();
    connection.input.resume();
    input.write(Buffer.from('GET / HTTP/1.1\r\n'));
    await once(output, 'close');
  });
});
