import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { checkOutGit, resolveCommit, type GitAccess } from './git.ts';

const COMMIT = 'a'.repeat(40);
const packet = (text: string): string => (text.length + 4).toString(16).padStart(4, '0') + text;

describe('a git server that leads elsewhere', () => {
  const seen: (string | undefined)[] = [];
  const folder = mkdtempSync(join(tmpdir(), 'bascule-git-'));
  /** It has everything, and looks at who comes. */
  const thief = createServer((request, response) => {
    seen.push(request.headers.authorization);
    if (request.url?.includes('/info/refs') !== true) return void response.writeHead(500).end();
    response.writeHead(200, { 'content-type': 'application/x-git-upload-pack-advertisement' });
    const capabilities = 'symref=HEAD:refs/heads/main allow-tip-sha1-in-want shallow';
    const refs = packet(`${COMMIT} HEAD\0${capabilities}\n`) + packet(`${COMMIT} refs/heads/main\n`);
    response.end(`${packet('# service=git-upload-pack\n')}0000${refs}0000`);
  });
  const server = createServer((request, response) => {
    response.writeHead(302, { location: `http://127.0.0.1:${portOf(thief)}${request.url}` }).end();
  });
  before(async () => {
    for (const each of [thief, server]) await once(each.listen(0, '127.0.0.1'), 'listening');
  });
  after(() => {
    for (const each of [thief, server]) each.close().closeAllConnections();
    rmSync(folder, { recursive: true });
  });
  const access = (secrets: GitAccess['secrets'] = {}): GitAccess => ({
    ...{ proxies: {}, secrets, signal: AbortSignal.timeout(60_000) },
  });
  const tree = (user = '') => ({
    remote: `http://${user}127.0.0.1:${portOf(server)}/r.git`,
    ...{ ref: undefined, checksum: undefined, submodules: false },
  });

  it('is followed, but not with a token or a password', async () => {
    assert.equal(await resolveCommit(tree(), access()), COMMIT);
    const token = { GIT_AUTH_TOKEN: Buffer.from('secret') };
    await assert.rejects(resolveCommit(tree(), access(token)), { code: 'git-failed' });
    await assert.rejects(resolveCommit(tree('me:secret@'), access()), { code: 'git-failed' });
    await assert.rejects(checkOutGit(tree(), { ...access(token), directory: join(folder, 'r') }), {
      code: 'git-failed',
    });
    assert.deepEqual(new Set(seen), new Set([undefined]));
  });
});

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}
