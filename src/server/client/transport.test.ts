import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { callJson, callLines } from './transport.ts';

describe('an answer that breaks off because the daemon was killed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bascule-transport-'));
  const socket = join(folder, 'api.sock');
  const server = createServer((_request, response: ServerResponse) => {
    response.write('{"step":1}\n', () => setImmediate(() => response.destroy()));
  });
  before(() => new Promise<void>((resolve) => server.listen(socket, resolve)));
  after(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  it('is told as such, after the lines that came', async () => {
    const lines: unknown[] = [];
    const read = async (): Promise<void> => {
      for await (const line of callLines(socket, { method: 'POST', path: '/' })) lines.push(line);
    };
    await assert.rejects(read(), { code: 'daemon-gone', kind: 'unavailable' });
    assert.deepEqual(lines, [{ step: 1 }]);
  });

  it('is told as such where one value was awaited', async () => {
    await assert.rejects(callJson(socket, { method: 'GET', path: '/' }), { code: 'daemon-gone' });
  });
});
