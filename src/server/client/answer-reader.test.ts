import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createAnswerReader } from './answer-reader.ts';

interface Told {
  readonly status: number | undefined;
  readonly text: string;
  readonly isWhole: boolean;
  readonly ends: number;
}

/** Reads an answer that comes in pieces of these sizes, and then ends. */
function read(answer: string, sizes: readonly number[] = []): Told {
  let status: number | undefined;
  let text = '';
  let ends = 0;
  const reader = createAnswerReader({
    onHead: (head) => (status = head.status),
    onData: (data) => (text += data.toString('latin1')),
    onEnd: () => (ends += 1),
  });
  let rest = Buffer.from(answer, 'latin1');
  for (const size of sizes) {
    reader.take(rest.subarray(0, size));
    rest = rest.subarray(size);
  }
  reader.take(rest);
  const isWhole = reader.end();
  return { status, text, isWhole, ends };
}

const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

describe('an answer of HTTP/1.1', () => {
  it('has as many bytes as its head says', () => {
    const told = read('HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\nhello and more');
    assert.deepEqual(told, { status: 404, text: 'hello', isWhole: true, ends: 1 });
  });

  it('has none where there can be none', () => {
    assert.deepEqual(read('HTTP/1.1 204 No Content\r\n\r\n'), { status: 204, text: '', isWhole: true, ends: 1 });
    assert.deepEqual(read('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'), {
      ...{ status: 200, text: '', isWhole: true, ends: 1 },
    });
  });

  it('goes on to the end of the connection where its length is not told', () => {
    assert.deepEqual(read('HTTP/1.1 200 OK\r\n\r\nall of it'), {
      status: 200,
      text: 'all of it',
      isWhole: true,
      ends: 1,
    });
  });

  it('comes after those that only say that it will', () => {
    const told = read('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok');
    assert.deepEqual(told, { status: 200, text: 'ok', isWhole: true, ends: 1 });
  });

  it('is the same whatever the pieces it comes in, and not whole without its last ones', () => {
    const pieces = fc.array(fc.nat({ max: 40 }), { maxLength: 30 });
    const texts = fc.array(fc.string({ minLength: 1, maxLength: 40, unit: 'binary-ascii' }), { maxLength: 6 });
    fc.assert(
      fc.property(texts, pieces, fc.nat(), (lines, sizes, cut) => {
        const answer = `${CHUNKED}${lines.map(chunk).join('')}0\r\nx-trailer: 1\r\n\r\n`;
        const whole = { status: 200, text: lines.join(''), isWhole: true, ends: 1 };
        assert.deepEqual(read(answer, sizes), whole);
        const part = read(answer.slice(0, cut % answer.length), sizes);
        assert.equal(part.isWhole, false);
        assert.equal(part.ends, 0);
        assert.ok(lines.join('').startsWith(part.text));
      }),
    );
  });

  it('is refused where it is something else', () => {
    assert.throws(() => read('220 mail.example.org ESMTP\r\n\r\n'), /no HTTP/);
    assert.throws(() => read(`${CHUNKED}zz\r\n`), /no HTTP/);
  });
});
