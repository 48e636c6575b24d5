import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import { setPassword } from '../../src/engine/registry/index.ts';
import { OCI_MANIFEST, openTestRegistry, pushBlob, sha256 } from '../support/registry.ts';
import { waitFor } from '../support/wait.ts';

const folder = mkdtempSync(join(tmpdir(), 'bascule-registry-attacks-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const usersFile = join(folder, 'users');
for (const user of ['alice', 'mallory']) await setPassword(usersFile, { user, password: `the secret of ${user}` });
const basic = (user: string, password = `the secret of ${user}`): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
});
const rules = [
  { user: 'alice', repositories: 'alice/**', actions: ['pull', 'push'] },
  { user: 'mallory', repositories: 'mallory/**', actions: ['pull', 'push'] },
] as const;
const passwords = { authentication: { kind: 'basic', usersFile }, rules, anonymous: [] } as const;

describe('somebody who guesses passwords', () => {
  it('may try a few times, and keeps nobody else out', async () => {
    const authentication = { kind: 'token', usersFile, service: 'test', keyFile: join(folder, 'key.pem') } as const;
    await using registry = await openTestRegistry({ settings: { ...passwords, authentication } });
    const login = (user: string, password?: string): Promise<Response> =>
      fetch(`${registry.url}/token?scope=repository:alice/a:pull`, { headers: basic(user, password) });
    assert.equal((await login('alice')).status, 200);
    let guesses = 0;
    let refused = await login('alice', 'a guess');
    for (; refused.status === 401 && guesses < 100; guesses += 1) refused = await login('alice', `guess ${guesses}`);
    assert.ok(guesses >= 9 && guesses < 100, String(guesses));
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    assert.match(await refused.text(), /TOOMANYREQUESTS/);
    assert.equal((await login('alice')).status, 200, 'what was right before is still right');
    assert.equal((await login('mallory')).status, 200, 'others are let in');
  });

  it('does not count as many who come at once with the right one', async () => {
    await using registry = await openTestRegistry({ settings: passwords });
    const all = Array.from({ length: 40 }, () => fetch(`${registry.url}/v2/`, { headers: basic('alice') }));
    assert.deepEqual(new Set((await Promise.all(all)).map(({ status }) => status)), new Set([200]));
  });
});

describe('somebody with rights in a repository of their own', () => {
  it('learns nothing of the blobs of others, by any request', async () => {
    await using registry = await openTestRegistry({ settings: passwords });
    const secret = Buffer.from('what only alice may read');
    const digest = sha256(secret);
    const pushed = await fetch(`${registry.url}/v2/alice/a/blobs/uploads/?digest=${digest}`, {
      ...{ method: 'POST', body: secret, headers: basic('alice') },
    });
    assert.equal(pushed.status, 201);
    const ask = async (method: string, path: string, body?: string): Promise<Response> =>
      await fetch(`${registry.url}/v2/${path}`, {
        method,
        headers: { ...basic('mallory'), ...(body === undefined ? {} : { 'content-type': OCI_MANIFEST }) },
        ...(body === undefined ? {} : { body }),
      });
    for (const method of ['HEAD', 'GET']) {
      assert.equal((await ask(method, `alice/a/blobs/${digest}`)).status, 403);
      assert.equal((await ask(method, `mallory/m/blobs/${digest}`)).status, 404);
    }
    const there = [`mount=${digest}&from=alice/a`, `mount=${digest}`, `mount=${digest}&from=nobody/n`];
    for (const query of there) {
      const mounted = await ask('POST', `mallory/m/blobs/uploads/?${query}`);
      assert.equal(mounted.status, 202, 'as where there is nothing to mount');
    }
    const named = { mediaType: 'application/octet-stream', digest, size: secret.length };
    const manifest = JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: named, layers: [] });
    assert.equal((await ask('PUT', 'mallory/m/manifests/1', manifest)).status, 404);
    assert.equal((await ask('GET', `mallory/m/blobs/${digest}`)).status, 404);
    assert.doesNotMatch(await (await ask('GET', '_catalog')).text(), /alice/);
    assert.equal((await ask('GET', `alice/a/referrers/${digest}`)).status, 403);
  });

  it('cannot go on with an upload that another repository has begun', async () => {
    await using registry = await openTestRegistry({ settings: passwords });
    const begun = await fetch(`${registry.url}/v2/alice/a/blobs/uploads/`, { method: 'POST', headers: basic('alice') });
    const id = begun.headers.get('docker-upload-uuid');
    for (const method of ['GET', 'PATCH', 'PUT', 'DELETE']) {
      const path = `mallory/m/blobs/uploads/${id}${method === 'PUT' ? `?digest=${sha256('')}` : ''}`;
      const answer = await fetch(`${registry.url}/v2/${path}`, { method, headers: basic('mallory') });
      assert.equal(answer.status, 404, method);
    }
  });

  it('cannot begin uploads without end', async () => {
    await using registry = await openTestRegistry();
    using database = new DatabaseSync(join(registry.directory, 'registry.db'));
    const insert = database.prepare('INSERT INTO upload VALUES (?, ?, ?)');
    database.exec('BEGIN');
    for (let at = 0; at < 1_000; at++) insert.run(`upload-${at}`, 'mine', Date.now());
    database.exec('COMMIT');
    const begin = (name: string): Promise<Response> =>
      fetch(`${registry.url}/v2/${name}/blobs/uploads/`, { method: 'POST' });
    const refused = await begin('mine');
    assert.equal(refused.status, 429);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    assert.equal((await begin('of-others')).status, 202);
    database.exec("UPDATE upload SET touched_at = touched_at - 7200000 WHERE id = 'upload-0'");
    assert.equal((await begin('mine')).status, 202, 'one that was left alone makes room');
  });

  it('gets no longer answer than the question', async () => {
    await using registry = await openTestRegistry();
    const layers = Array.from({ length: 20_000 }, (_, at) => ({
      ...{ mediaType: 'a', size: 1, digest: sha256(String(at)) },
    }));
    const body = JSON.stringify({ schemaVersion: 2, mediaType: OCI_MANIFEST, config: layers[0], layers });
    const headers = { 'content-type': OCI_MANIFEST };
    const missing = await fetch(`${registry.url}/v2/mine/manifests/1`, { method: 'PUT', headers, body });
    assert.equal(missing.status, 404);
    assert.ok((await missing.text()).length < 100_000);
  });
});

describe('names that are none', () => {
  it('reach neither files nor headers', async () => {
    await using registry = await openTestRegistry();
    const paths = [
      '/v2/..%2f..%2fetc/manifests/passwd',
      '/v2/a/../../b/tags/list',
      '/v2/a%0d%0aset-cookie:x/blobs/uploads/',
      '/v2/a%00b/tags/list',
      `/v2/a/blobs/sha256:${'.'.repeat(64)}`,
      `/v2/a/blobs/sha256:${'..%2f'.repeat(13)}`.slice(0, 90),
      '/v2/a/blobs/uploads/..%2f..%2fregistry.db',
      '/v2/a/manifests/..%2fx',
      '/v2/a/manifests/%0d%0ax',
      `/v2/${'a/'.repeat(200)}a/tags/list`,
    ];
    for (const path of paths) {
      const { status, headers } = await raw(registry.url, path);
      assert.ok(status === 400 || status === 404, `${path}: ${status}`);
      assert.equal(headers['set-cookie'], undefined);
    }
  });
});

/** As it stands: `fetch` would make the path plain. */
async function raw(url: string, path: string) {
  const { promise, resolve, reject } = Promise.withResolvers<{
    readonly status: number;
    readonly headers: Readonly<Record<string, unknown>>;
  }>();
  request(url, { path, method: 'GET' }, (response) => {
    response.resume();
    resolve({ status: response.statusCode ?? 0, headers: response.headers });
  })
    .on('error', reject)
    .end();
  return promise;
}

describe('a page of the web, in a registry that asks nobody who they are', () => {
  it('may not push', async () => {
    await using registry = await openTestRegistry();
    const { url } = registry;
    const path = `${url}/v2/a/blobs/uploads/?digest=${sha256('x')}`;
    const headers = { origin: 'https://attacker.example.org' };
    assert.equal((await fetch(path, { method: 'POST', body: 'x', headers })).status, 403);
    assert.equal((await fetch(path, { method: 'POST', body: 'x' })).status, 201);
  });
});

describe('where TLS ends before the registry', () => {
  it('clients are sent to a token service with TLS', async () => {
    const authentication = { kind: 'token', usersFile, service: 'test', keyFile: join(folder, 'key.pem') } as const;
    await using registry = await openTestRegistry({ settings: { ...passwords, authentication } });
    const answer = await fetch(`${registry.url}/v2/`, { headers: { 'x-forwarded-proto': 'https' } });
    assert.match(answer.headers.get('www-authenticate') ?? '', /^Bearer realm="https:/);
  });
});

describe('a registry to which nobody says that it should collect', () => {
  it('does so by itself', async () => {
    await using registry = await openTestRegistry({ settings: { graceMs: 0, collectEveryMs: 50 } });
    const { digest } = await pushBlob(registry.url, 'a', Buffer.from('nobody needs this'));
    const hex = digest.slice('sha256:'.length);
    const path = join(registry.directory, 'blobs', 'sha256', hex.slice(0, 2), hex);
    await waitFor(() => !existsSync(path), { timeoutMs: 20_000, what: 'the blob to go' });
    assert.equal(registry.server.status().blobs, 0);
  });
});
