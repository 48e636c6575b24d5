import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { removeUser, setPassword, userNames } from '../../src/engine/registry/index.ts';
import { openTestRegistry } from '../support/registry.ts';

const folder = mkdtempSync(join(tmpdir(), 'bascule-registry-auth-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const usersFile = join(folder, 'users');
await setPassword(usersFile, { user: 'alice', password: 'a secret' });
await setPassword(usersFile, { user: 'bob', password: 'another: with a colon' });
const ALICE = basic('alice', 'a secret');
const BOB = basic('bob', 'another: with a colon');
const rules = [
  { user: 'alice', repositories: '**', actions: ['pull', 'push', 'delete'] },
  { user: 'bob', repositories: 'team/*', actions: ['pull'] },
  { user: 'anonymous', repositories: 'public/*', actions: ['pull'] },
] as const;

describe('the file of users', () => {
  it('keeps hashes, and takes what htpasswd writes', async () => {
    assert.doesNotMatch(readFileSync(usersFile, 'utf8'), /secret/);
    const path = join(folder, 'other');
    writeFileSync(path, '# by hand\ncarol:$2y$05$abcdefghijklmnopqrstuuGbNfjFDoDXzsjKYEUq4YzgtM6uP2lVa\n');
    await setPassword(path, { user: 'dave', password: 'x' });
    assert.deepEqual(await userNames(path), ['carol', 'dave']);
    assert.equal(await removeUser(path, 'carol'), true);
    assert.equal(await removeUser(path, 'carol'), false);
    assert.deepEqual(await userNames(path), ['dave']);
  });

  it('refuses names and passwords that would not work, and lines that are none', async () => {
    for (const user of ['', 'a b', 'a:b', 'anonymous'])
      await assert.rejects(setPassword(usersFile, { user, password: 'x' }), { code: 'registry-user-invalid' });
    for (const password of ['', 'x'.repeat(73)])
      await assert.rejects(setPassword(usersFile, { user: 'eve', password }), { code: 'registry-password-invalid' });
    const path = join(folder, 'broken');
    writeFileSync(path, 'alice:plain\n');
    await assert.rejects(userNames(path), { code: 'registry-users-invalid', message: /broken:1/ });
  });
});

describe('passwords with each request', () => {
  it('are asked for, and let their owner do what the rules say', async () => {
    await using registry = await openTestRegistry({
      settings: { authentication: { kind: 'basic', usersFile }, rules, anonymous: [] },
    });
    const ask = asker(registry.url);
    const nobody = await ask('GET', '/v2/');
    assert.equal(nobody.status, 401);
    assert.equal(nobody.headers.get('www-authenticate'), 'Basic realm="registry"');
    assert.equal(((await nobody.json()) as { errors: { code: string }[] }).errors[0]?.code, 'UNAUTHORIZED');
    assert.equal((await ask('GET', '/v2/', ALICE)).status, 200);
    assert.equal((await ask('GET', '/v2/', basic('alice', 'wrong'))).status, 401);
    assert.equal((await ask('GET', '/v2/', basic('nobody', 'x'))).status, 401);
    assert.equal((await ask('POST', '/v2/team/app/blobs/uploads/', ALICE)).status, 202);
    const denied = await ask('POST', '/v2/team/app/blobs/uploads/', BOB);
    assert.equal(denied.status, 403);
    assert.equal(((await denied.json()) as { errors: { code: string }[] }).errors[0]?.code, 'DENIED');
    assert.equal((await ask('GET', '/v2/team/app/manifests/none', BOB)).status, 404);
    assert.equal((await ask('GET', '/v2/secret/manifests/none', BOB)).status, 403);
    assert.equal((await ask('GET', '/v2/public/app/manifests/none')).status, 404);
    assert.equal((await ask('GET', '/v2/secret/app/manifests/none')).status, 401);
  });

  it('count as they stand in the file now, and repositories are shown to those who may pull', async () => {
    const path = join(folder, 'changing');
    await setPassword(path, { user: 'alice', password: 'one' });
    await setPassword(path, { user: 'bob', password: 'b' });
    await using registry = await openTestRegistry({
      settings: { authentication: { kind: 'basic', usersFile: path }, rules, anonymous: [] },
    });
    const ask = asker(registry.url);
    for (const name of ['team/app', 'secret']) {
      const digest = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
      const pushed = await ask('POST', `/v2/${name}/blobs/uploads/?digest=${digest}`, basic('alice', 'one'));
      assert.equal(pushed.status, 201);
    }
    const seen = async (who: string): Promise<unknown> => await (await ask('GET', '/v2/_catalog', who)).json();
    assert.deepEqual(await seen(basic('alice', 'one')), { repositories: ['secret', 'team/app'] });
    assert.deepEqual(await seen(basic('bob', 'b')), { repositories: ['team/app'] });
    await setPassword(path, { user: 'alice', password: 'two' });
    assert.equal((await ask('GET', '/v2/', basic('alice', 'one'))).status, 401);
    assert.equal((await ask('GET', '/v2/', basic('alice', 'two'))).status, 200);
  });
});

describe('tokens of the registry itself', () => {
  it('are given for a password, say what may be done, and anonymous ones let pull what is public', async () => {
    const keyFile = join(folder, 'token-key.pem');
    const authentication = { kind: 'token', usersFile, keyFile, service: 'here' } as const;
    await using registry = await openTestRegistry({ settings: { authentication, rules, anonymous: [] } });
    const ask = asker(registry.url);
    const challenge = (await ask('POST', '/v2/team/app/blobs/uploads/')).headers.get('www-authenticate');
    const scope = 'repository:team/app:pull,push';
    assert.equal(challenge, `Bearer realm="${registry.url}/token",service="here",scope="${scope}"`);
    const tokenFor = async (who?: string, what = scope): Promise<string> => {
      const response = await ask('GET', `/token?service=here&scope=${encodeURIComponent(what)}`, who);
      assert.equal(response.status, 200);
      return `Bearer ${((await response.json()) as { token: string }).token}`;
    };
    const alice = await tokenFor(ALICE);
    assert.equal((await ask('GET', '/v2/', alice)).status, 200);
    assert.equal((await ask('POST', '/v2/team/app/blobs/uploads/', alice)).status, 202);
    assert.equal((await ask('POST', '/v2/team/other/blobs/uploads/', alice)).status, 401);
    assert.equal((await ask('POST', '/v2/team/app/blobs/uploads/', await tokenFor(BOB))).status, 401);
    assert.equal((await ask('GET', '/v2/team/app/manifests/x', await tokenFor(BOB))).status, 404);
    const nobody = await tokenFor(undefined, 'repository:public/app:pull,push repository:team/app:pull');
    assert.equal((await ask('GET', '/v2/public/app/manifests/x', nobody)).status, 404);
    assert.equal((await ask('GET', '/v2/team/app/manifests/x', nobody)).status, 401);
    assert.equal((await ask('GET', '/token', basic('alice', 'wrong'))).status, 401);
    assert.equal((await ask('GET', '/v2/', `${alice}x`)).status, 401);
    assert.equal((await ask('GET', '/v2/team/app/manifests/x', ALICE)).status, 404); // simple clients send passwords
    assert.match(readFileSync(keyFile, 'utf8'), /BEGIN PRIVATE KEY/);
  });
});

describe("tokens of somebody else's", () => {
  it('are verified: signature, issuer, audience, time', async () => {
    const { privateKey, publicKey } = await generateKeyPair('RS256');
    const keyFile = join(folder, 'keys.json');
    writeFileSync(keyFile, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg: 'RS256', kid: 'one' }] }));
    const realm = 'https://auth.example.org/token';
    const authentication = { kind: 'foreign-token', realm, issuer: 'them', service: 'us', keyFile } as const;
    await using registry = await openTestRegistry({ settings: { authentication, rules: [], anonymous: [] } });
    const ask = asker(registry.url);
    const challenge = (await ask('GET', '/v2/a/manifests/x')).headers.get('www-authenticate');
    assert.equal(challenge, 'Bearer realm="https://auth.example.org/token",service="us",scope="repository:a:pull"');
    assert.equal((await ask('GET', '/token')).status, 404);
    const token = async (o: { issuer?: string; audience?: string; expires?: string } = {}): Promise<string> => {
      const access = [{ type: 'repository', name: 'a', actions: ['pull'] }];
      const signed = await new SignJWT({ access })
        .setProtectedHeader({ alg: 'RS256', kid: 'one' })
        .setIssuer(o.issuer ?? 'them')
        .setAudience(o.audience ?? 'us')
        .setSubject('carol')
        .setExpirationTime(o.expires ?? '5m')
        .sign(privateKey);
      return `Bearer ${signed}`;
    };
    assert.equal((await ask('GET', '/v2/a/manifests/x', await token())).status, 404);
    assert.equal((await ask('GET', '/v2/b/manifests/x', await token())).status, 401);
    for (const wrong of [{ issuer: 'others' }, { audience: 'others' }, { expires: '-5m' }])
      assert.equal((await ask('GET', '/v2/a/manifests/x', await token(wrong))).status, 401, JSON.stringify(wrong));
  });
});

describe('TLS', () => {
  it('is spoken with the certificate of the files', async () => {
    const [certificateFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
    const names = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
    execFileSync('openssl', [...words, ...names, '-keyout', keyFile, '-out', certificateFile], { stdio: 'ignore' });
    await using registry = await openTestRegistry({ settings: { tls: { certificateFile, keyFile } } });
    assert.match(registry.url, /^https:/);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const asking = request(`${registry.url}/v2/`, { ca: readFileSync(certificateFile) }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      asking.on('error', reject);
      asking.end();
    });
    assert.equal(status, 200);
    const wrong = { tls: { certificateFile, keyFile: join(folder, 'none.pem') } };
    await assert.rejects(openTestRegistry({ settings: wrong }), { code: 'registry-tls-invalid' });
  });
});

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

function asker(url: string) {
  return (method: string, path: string, authorization?: string): Promise<Response> =>
    fetch(`${url}${path}`, { method, headers: authorization === undefined ? {} : { authorization } });
}
