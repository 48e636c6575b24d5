import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { helperOf, loginIn, registryNameOf, withLogin, withoutLogin } from './config.ts';
import { dropLogin, findLogin, keepLogin } from './store.ts';

const auth = (text: string): { auth: string } => ({ auth: Buffer.from(text).toString('base64') });

describe("Docker's config.json", () => {
  it('knows Docker Hub by all its names', () => {
    for (const name of ['', 'docker.io', 'index.docker.io', 'https://index.docker.io/v1/', 'registry-1.docker.io'])
      assert.equal(registryNameOf(name), 'docker.io');
    assert.equal(registryNameOf('https://r.io:5000/v1/'), 'r.io:5000');
  });

  it('has logins by user and password, and by token', () => {
    const auths = { 'https://index.docker.io/v1/': auth('anna:a:b'), 'https://r.io/v2/': { identitytoken: 't' } };
    const hub = { serveraddress: 'https://index.docker.io/v1/', username: 'anna', password: 'a:b' };
    assert.deepEqual(loginIn({ auths }, 'docker.io'), hub);
    assert.deepEqual(loginIn({ auths }, 'r.io'), { serveraddress: 'r.io', identitytoken: 't' });
    assert.equal(loginIn({ auths }, 'r.io:5000'), undefined);
    assert.equal(loginIn({ auths: { 'r.io': {} } }, 'r.io'), undefined);
  });

  it('says which program keeps them', () => {
    const config = { credsStore: 'all', credHelpers: { 'r.io': 'one', 'https://index.docker.io/v1/': 'hub' } };
    assert.equal(helperOf(config, 'r.io'), 'one');
    assert.equal(helperOf(config, 'docker.io'), 'hub');
    assert.equal(helperOf(config, 'other.io'), 'all');
    assert.equal(helperOf({}, 'r.io'), undefined);
  });

  it('keeps what else stands in it', () => {
    const config = { psFormat: 'x', auths: { 'http://r.io': auth('a:b'), 'o.io': auth('c:d') } };
    const login = { username: 'e', password: 'f', serveraddress: 'r.io' };
    const changed = withLogin(config, login, { keptByHelper: false });
    assert.deepEqual(changed, { psFormat: 'x', auths: { 'o.io': auth('c:d'), 'r.io': auth('e:f') } });
    assert.deepEqual(withoutLogin(changed, 'r.io'), { psFormat: 'x', auths: { 'o.io': auth('c:d') } });
  });
});

describe('logins on the disk', () => {
  const directory = mkdtempSync(join(tmpdir(), 'bascule-login-'));
  after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'deep', 'config.json');
  const place = { file, env: { PATH: `${directory}:/usr/bin:/bin`, KEPT: join(directory, 'kept') } };
  const login = { username: 'anna', password: 'geheim', serveraddress: 'r.io' };

  it('are for their owner only', async () => {
    assert.equal(await findLogin(place, 'r.io'), undefined);
    assert.deepEqual(await keepLogin(place, login), {});
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.deepEqual(await findLogin(place, 'r.io'), login);
    assert.equal(await dropLogin(place, 'r.io'), true);
    assert.equal(await dropLogin(place, 'r.io'), false);
    assert.equal(await findLogin(place, 'r.io'), undefined);
  });

  it('are kept by a helper, where one is named', async () => {
    const helper = join(directory, 'docker-credential-test');
    const script = [
      '#!/bin/sh',
      'case $1 in',
      'store) cat >"$KEPT" ;;',
      'get) test -e "$KEPT" && cat "$KEPT" || { echo "credentials not found in native keychain"; exit 1; } ;;',
      'erase) rm "$KEPT" ;;',
      'esac',
    ];
    writeFileSync(helper, `${script.join('\n')}\n`);
    chmodSync(helper, 0o755);
    writeFileSync(file, JSON.stringify({ credsStore: 'test' }));
    assert.equal(await findLogin(place, 'r.io'), undefined);
    assert.deepEqual(await keepLogin(place, login), { helper: 'test' });
    assert.ok(!readFileSync(file, 'utf8').includes('auth"'));
    assert.deepEqual(await findLogin(place, 'r.io'), login);
    await keepLogin(place, { ...login, identitytoken: 'token' });
    assert.deepEqual(await findLogin(place, 'r.io'), { serveraddress: 'r.io', identitytoken: 'token' });
    await dropLogin(place, 'r.io');
    assert.equal(await findLogin(place, 'r.io'), undefined);
    writeFileSync(file, JSON.stringify({ credsStore: '../evil' }));
    await assert.rejects(findLogin(place, 'r.io'), { code: 'credential-helper-failed' });
    writeFileSync(file, '[');
    await assert.rejects(findLogin(place, 'r.io'), { code: 'docker-config-invalid' });
  });
});
