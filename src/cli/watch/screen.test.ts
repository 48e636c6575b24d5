import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import type { Terminal } from '../host.ts';
import { openScreen } from './screen.ts';

describe('a screen', () => {
  it('takes the terminal, paints without clearing it before, and gives it back', () => {
    let written = '';
    const stream = new Writable({
      write: (chunk, _encoding, done) => {
        written += String(chunk);
        done();
      },
    });
    const terminal: Terminal = Object.assign(stream, { isTTY: true, columns: 20, rows: 5 });
    let resized = 0;
    {
      using screen = openScreen(terminal, () => (resized += 1));
      screen.paint(['short', 'x'.repeat(20)]);
      stream.emit('resize');
    }
    stream.emit('resize');
    const shown = written.replaceAll('\u001b[', '^');
    assert.equal(
      shown,
      `^?1049h^?25l^?7l^?2026h^Hshort^K\r\n${'x'.repeat(20)}\r\n^J^?2026l^?7h^?25h^?1049l`,
      'a full line is not followed by an erasure: it would take its last character',
    );
    assert.equal(resized, 1);
  });
});
