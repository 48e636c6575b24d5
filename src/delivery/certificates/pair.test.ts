import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate } from 'node:crypto';
import { describe, it } from 'node:test';
import type { UserError } from '../../lib/errors.ts';
import { checkPair, covers, parsePair, readPair } from './pair.ts';
import { newKey, pemOfKey, selfSigned } from './x509.ts';

const NOW = new Date('2026-06-01T00:00:00Z');
const source = { where: 'services.web.x-bascule.tls', certificateFile: '/srv/cert.pem', keyFile: '/srv/key.pem' };
const signed = (name: string, days = 90): Promise<string> => selfSigned({ name, now: NOW, days });
const refusal = (work: () => unknown): Pick<UserError, 'code' | 'message'> => {
  try {
    work();
  } catch (error) {
    return error as UserError;
  }
  throw new Error('it was taken');
};

describe('a certificate and its key', () => {
  it('are read and written as the proxy takes them: nothing between, no empty lines', async () => {
    const pem = await signed('a.example.org');
    const noise = `Bag Attributes\n  friendlyName: x\n\n${pem.replaceAll('\n', '\r\n')}\n\n`;
    const pair = readPair({ certificate: noise, key: noise }, source);
    assert.equal(pair.fingerprint, new X509Certificate(pem).fingerprint.replaceAll(':', ''));
    assert.deepEqual(pair.names, ['a.example.org']);
    assert.doesNotMatch(pair.pem, /\n\n|\r|Bag/);
    assert.deepEqual(parsePair(pair.pem), pair);
  });

  it('keep the chain in its order, each certificate once', async () => {
    const [leaf, issuer] = [await signed('a.example.org'), await signed('issuer')];
    const pair = readPair({ certificate: `${leaf}${issuer}${leaf}`, key: leaf }, source);
    assert.equal(pair.pem.match(/BEGIN CERTIFICATE/g)?.length, 2);
    assert.equal(parsePair(pair.pem).names[0], 'a.example.org');
  });

  it('are refused with the file and what is wrong, and without a word of the key', async () => {
    const [own, other] = [await signed('a.example.org'), await signed('a.example.org')];
    const weak = pemOfKey(generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey);
    const encrypted = String(
      newKey().export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'secret' }),
    );
    const CASES: readonly (readonly [string, string, string])[] = [
      ['no certificate', own, 'certificate-invalid'],
      [own.replace(/\n.{10}/, '\nAAAAAAAAAA'), own, 'certificate-invalid'],
      [own, 'no key', 'certificate-key-invalid'],
      [own, encrypted, 'certificate-key-invalid'],
      [own, other, 'certificate-key-mismatch'],
      [own, weak, 'certificate-key-mismatch'],
    ];
    for (const [certificate, key, code] of CASES) {
      const error = refusal(() => readPair({ certificate, key }, source));
      assert.equal(error.code, code);
      assert.match(error.message, /^services\.web\.x-bascule\.tls: .*\/srv\//);
      assert.doesNotMatch(JSON.stringify(error), /PRIVATE|secret/);
    }
  });

  it('that are too long for the proxy are refused', async () => {
    const chain = await Promise.all(Array.from({ length: 30 }, (_, index) => signed(`${index}.example.org`)));
    const error = refusal(() => readPair({ certificate: chain.join(''), key: chain[0]! }, source));
    assert.match(error.message, /too long/);
  });

  it('serve only within their time, and for their hosts', async () => {
    const pair = parsePair(await signed('*.example.org', 20));
    const at = (days: number): Date => new Date(NOW.getTime() + days * 86_400_000);
    const check = (now: Date, host?: string): string | undefined => checkPair(pair, { source, now, host });
    assert.equal(check(at(1), 'a.example.org'), undefined);
    assert.match(check(at(10)) ?? '', /ends in 10 days \(2026-06-21\)/);
    assert.equal(refusal(() => check(at(21))).code, 'certificate-expired');
    assert.equal(refusal(() => check(at(-3))).code, 'certificate-not-yet-valid');
    assert.equal(refusal(() => check(at(1), 'example.org')).code, 'certificate-host');
  });

  it('cover a host by its name, or by a wildcard for exactly one label', async () => {
    const names = ['example.org', '*.example.org'];
    for (const host of ['example.org', 'a.example.org', 'A.Example.org', '*.example.org'])
      assert.ok(covers({ names }, host), host);
    for (const host of ['a.b.example.org', 'example.com', '*.b.example.org']) assert.ok(!covers({ names }, host), host);
  });
});
