import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { silentLog } from '../../lib/log.ts';
import { accessLine, createAccessLog } from './access-log.ts';
import type { RequestSample } from './traffic.ts';

const sample: RequestSample = {
  atMs: 1_795_261_055_879,
  route: 'shop/web/80',
  lane: 'lane-003',
  chosenBy: 'weight',
  status: 200,
  responseMs: 15,
  totalMs: 31,
  appError: false,
  method: 'GET',
};
const details = { client: '192.0.2.7', protocol: 'HTTP/1.1', bytesIn: 210, bytesOut: 1_200, path: '/a' };

describe('the access log', () => {
  const directory = mkdtempSync(join(tmpdir(), 'bascule-access-'));
  after(() => rmSync(directory, { recursive: true, force: true }));

  it('has a JSON object a line, without what is not known', () => {
    const line = accessLine({ ...sample, lane: 'http' }, details);
    assert.ok(line.endsWith('}\n'));
    const { time, ...rest } = JSON.parse(line) as Record<string, unknown>;
    assert.equal(time, '2026-11-21T11:37:35.879Z');
    assert.deepEqual(Object.keys(rest), [
      ...['client', 'method', 'path', 'protocol', 'status', 'responseMs', 'totalMs', 'bytesIn', 'bytesOut', 'route'],
    ]);
  });

  it('has a file a project, and keeps so many older ones', async () => {
    const size = accessLine(sample, details).length;
    const log = createAccessLog({ directory, log: silentLog, maxFileBytes: 3 * size, keptFiles: 2 });
    for (let count = 0; count < 5; count++) {
      for (let line = 0; line < 3; line++) log.write({ ...sample, status: 200 + count }, details);
      log.write({ ...sample, route: 'blog/web/80' }, { ...details, path: `/${count}` });
      await log.flush();
    }
    assert.deepEqual(readdirSync(directory).sort(), [
      ...['blog.log', 'blog.log.1', 'shop.log', 'shop.log.1', 'shop.log.2'],
    ]);
    const statuses = (name: string): readonly number[] =>
      readFileSync(join(directory, name), 'utf8')
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { status: number }).status);
    assert.deepEqual(statuses('shop.log'), [204, 204, 204]);
    assert.deepEqual(statuses('shop.log.2'), [202, 202, 202]);
  });
});
