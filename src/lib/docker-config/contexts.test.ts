import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { removeContext, useContext, writeContext } from './contexts.ts';

describe('docker contexts', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bascule-contexts-'));
  after(() => rmSync(folder, { recursive: true }));
  const place = { file: join(folder, 'config.json'), env: {} };
  const isOurs = (description: string): boolean => description === 'ours';
  const context = { name: 'here', description: 'ours', host: 'unix:///run/x.sock' };
  const metas = (): readonly string[] => readdirSync(join(folder, 'contexts/meta'));

  it('are written where docker looks for them, used, and removed', async () => {
    writeFileSync(place.file, '{"psFormat": "table"}');
    await writeContext(place, context, isOurs);
    await writeContext(place, { ...context, host: 'unix:///run/y.sock' }, isOurs);
    await useContext(place, 'here');
    const [meta = ''] = metas();
    assert.match(meta, /^[0-9a-f]{64}$/);
    assert.deepEqual(JSON.parse(readFileSync(join(folder, 'contexts/meta', meta, 'meta.json'), 'utf8')), {
      Name: 'here',
      Metadata: { Description: 'ours' },
      Endpoints: { docker: { Host: 'unix:///run/y.sock', SkipTLSVerify: false } },
    });
    const config = (): unknown => JSON.parse(readFileSync(place.file, 'utf8'));
    assert.deepEqual(config(), { psFormat: 'table', currentContext: 'here' });
    assert.equal(await removeContext(place, 'here', isOurs), true);
    assert.equal(await removeContext(place, 'here', isOurs), false);
    assert.deepEqual([metas(), config()], [[], { psFormat: 'table' }]);
  });

  it("of others are left alone, and names that docker doesn't take are refused", async () => {
    await writeContext(place, { ...context, description: 'theirs' }, isOurs);
    await assert.rejects(writeContext(place, context, isOurs), { code: 'context-taken' });
    await assert.rejects(removeContext(place, 'here', isOurs), { code: 'context-taken' });
    for (const name of ['default', 'x', '../up', 'a b'])
      await assert.rejects(writeContext(place, { ...context, name }, isOurs), { code: 'context-name-invalid' });
  });
});
