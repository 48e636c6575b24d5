import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ResponseReader, type WholeResponse } from './support/http-response.ts';

const bodyless = 'HTTP/1.1 204 No Content\r\nX-Version: 2\r\n\r\n';
const withLength = 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Version: 2\r\n\r\nhello';
const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=1\r\nlo\r\n0\r\nA: b\r\n\r\n';
const continued = `HTTP/1.1 100 Continue\r\n\r\n${withLength}`;

function read(parts: readonly Buffer[]): WholeResponse | undefined {
  const reader = new ResponseReader();
  let whole: WholeResponse | undefined;
  for (const part of parts) whole = reader.push(part);
  return whole;
}

function cutUp(text: string, places: readonly number[]): readonly Buffer[] {
  const bytes = Buffer.from(text, 'latin1');
  const cuts = [0, ...places.map((place) => place % bytes.length).sort((a, b) => a - b), bytes.length];
  return cuts.slice(1).map((end, index) => bytes.subarray(cuts[index], end));
}

describe('reading a response', () => {
  for (const text of [bodyless, withLength, chunked, continued]) {
    it(`gives the same however it is cut: ${JSON.stringify(text.slice(0, 60))}`, () => {
      const expected = read([Buffer.from(text, 'latin1')]);
      assert.ok(expected !== undefined);
      fc.assert(fc.property(fc.array(fc.nat()), (places) => assert.deepEqual(read(cutUp(text, places)), expected)));
    });

    it(`is never whole before its last byte: ${JSON.stringify(text.slice(0, 60))}`, () => {
      for (let end = 1; end < text.length; end++) {
        const reader = new ResponseReader();
        assert.equal(reader.push(Buffer.from(text.slice(0, end), 'latin1')), undefined);
        assert.equal(reader.end(), undefined);
      }
    });
  }

  it('tells body, headers and whether the connection stays', () => {
    const whole = read([Buffer.from(chunked)]);
    assert.deepEqual([whole?.bodyStart, whole?.bodyBytes, whole?.keepsAlive], ['hello', 5, true]);
    assert.equal(read([Buffer.from(withLength)])?.headers.get('x-version'), '2');
  });

  it('takes the end of the connection as the end of a body without a length', () => {
    const reader = new ResponseReader();
    assert.equal(reader.push(Buffer.from('HTTP/1.1 200 OK\r\n\r\nall of it')), undefined);
    const whole = reader.end();
    assert.deepEqual([whole?.bodyStart, whole?.keepsAlive], ['all of it', false]);
  });

  it('refuses bytes after the end, and what is not HTTP', () => {
    assert.throws(() => read([Buffer.from(`${withLength}more`)]));
    assert.throws(() => read([Buffer.from('SSH-2.0-OpenSSH\r\n\r\n')]));
  });
});
