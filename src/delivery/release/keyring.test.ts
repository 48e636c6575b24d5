import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { UserError } from '../../lib/errors.ts';
import { openKeyring } from './keyring.ts';

const folders: string[] = [];
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'bascule-keys-'));
  folders.push(made);
  return made;
}
after(() => {
  for (const each of folders) rmSync(each, { recursive: true, force: true });
});

const code = (expected: string) => (error: unknown) => error instanceof UserError && error.code === expected;

describe('the keys of a root', () => {
  it('are made once, for root alone, and open what they sealed after a restart', () => {
    const directory = folder();
    const sealed = openKeyring({ directory }).seal('file', 'a', Buffer.from('hunter2'));
    assert.equal(statSync(join(directory, 'secrets.key')).mode & 0o777, 0o600);
    assert.equal(openKeyring({ directory }).open('file', 'a', sealed).toString(), 'hunter2');
  });

  it('seal anything, each time differently, and open it under its name and purpose only', () => {
    const keys = openKeyring({ directory: folder() });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (content, name) => {
        const sealed = keys.seal('file', name, content);
        assert.deepEqual(new Uint8Array(keys.open('file', name, sealed)), content);
        assert.notDeepEqual(keys.seal('file', name, content), sealed);
        assert.throws(() => keys.open('file', `${name}x`, sealed), code('sealed-broken'));
        assert.throws(() => keys.open('release', name, sealed), code('sealed-broken'));
      }),
    );
  });

  it('notice every changed bit', () => {
    const keys = openKeyring({ directory: folder() });
    const sealed = keys.seal('file', 'a', Buffer.from('secret'));
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      assert.throws(() => keys.open('file', 'a', changed), code('sealed-broken'));
    }
    assert.throws(() => keys.open('file', 'a', sealed.subarray(0, 20)), code('sealed-broken'));
  });

  it('name the same content alike, and differently in another root', () => {
    const [one, other] = [openKeyring({ directory: folder() }), openKeyring({ directory: folder() })];
    const pin = Buffer.from('1234');
    assert.equal(one.versionOf(pin), one.versionOf(pin));
    assert.notEqual(one.versionOf(pin), other.versionOf(pin));
  });

  it('are never made anew when they are lost, nor exchanged', () => {
    const directory = folder();
    openKeyring({ directory });
    const key = readFileSync(join(directory, 'secrets.key'));
    writeFileSync(join(directory, 'secrets.key'), Buffer.alloc(32, 7));
    assert.throws(() => openKeyring({ directory }), code('secrets-key-wrong'));
    rmSync(join(directory, 'secrets.key'));
    assert.throws(() => openKeyring({ directory }), code('secrets-key-missing'));
    writeFileSync(join(directory, 'secrets.key'), key);
    openKeyring({ directory });
  });

  it('are not made anew either when what knows them is lost too, as long as there are sealed contents', () => {
    const directory = folder();
    const [keyPath, checkPath] = [join(directory, 'secrets.key'), join(directory, 'secrets.check')];
    const keys = openKeyring({ directory });
    const version = keys.versionOf(Buffer.from('x'));
    mkdirSync(join(directory, 'files'));
    writeFileSync(join(directory, 'files', version), keys.seal('file', version, Buffer.from('x')));
    const key = readFileSync(keyPath);
    rmSync(checkPath);
    rmSync(keyPath);
    assert.throws(() => openKeyring({ directory }), code('secrets-key-missing'));
    assert.deepEqual(readdirSync(directory), ['files']);
    const keyFile = join(folder(), 'credential');
    writeFileSync(keyFile, Buffer.alloc(32, 7));
    assert.throws(() => openKeyring({ directory, keyFile }), code('secrets-key-wrong'));
    assert.deepEqual(readdirSync(directory), ['files']);
    writeFileSync(keyPath, key);
    openKeyring({ directory });
    assert.throws(() => openKeyring({ directory, keyFile }), code('secrets-key-wrong'));
  });

  it('are warned of when others can read them', () => {
    const directory = folder();
    const said: object[] = [];
    const log = { warn: (fields: object) => void said.push(fields) };
    openKeyring({ directory, log });
    assert.deepEqual(said, []);
    const path = join(directory, 'secrets.key');
    chmodSync(path, 0o640);
    openKeyring({ directory, log });
    assert.deepEqual(said, [{ path, mode: '640', fix: `chmod 600 ${path}` }]);
  });

  it('may come from elsewhere', () => {
    const directory = folder();
    const keyFile = join(folder(), 'credential');
    assert.throws(() => openKeyring({ directory, keyFile }), code('secrets-key-missing'));
    writeFileSync(keyFile, 'short');
    assert.throws(() => openKeyring({ directory, keyFile }), code('secrets-key-short'));
    writeFileSync(keyFile, Buffer.alloc(48, 3));
    chmodSync(keyFile, 0o400);
    const sealed = openKeyring({ directory, keyFile }).seal('file', 'a', Buffer.from('x'));
    assert.equal(openKeyring({ directory, keyFile }).open('file', 'a', sealed).toString(), 'x');
    assert.throws(() => statSync(join(directory, 'secrets.key')), 'no key lies beside what it seals');
  });
});
