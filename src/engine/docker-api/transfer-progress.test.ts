import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { digestOf } from '../../lib/oci/index.ts';
import { credentialIn, credentialsIn } from './registry-auth.ts';
import { createTransferTranscript } from './transfer-progress.ts';

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('the JSON lines of pulls and pushes', () => {
  const digest = digestOf('layer');
  const id = digest.slice(7, 19);

  it('have bars, and not more of them than one can see', () => {
    const transcript = createTransferTranscript({ id: '1' });
    assert.deepEqual(transcript({ kind: 'started', text: 'Pulling from a/b', reference: 'r' }), [
      { status: 'Pulling from a/b', id: '1' },
    ]);
    const lines = Array.from({ length: 10_000 }, (_, bytes) =>
      transcript({ kind: 'layer', digest, state: 'downloading', bytes: bytes + 1, totalBytes: 10_000 }),
    ).flat();
    assert.ok(lines.length <= 101, String(lines.length));
    assert.deepEqual(lines.at(-1), {
      status: 'Downloading',
      progressDetail: { current: 10_000, total: 10_000 },
      progress: `[${'='.repeat(49)}>]  10kB/10kB`,
      id,
    });
  });

  it('say what becomes of each layer', () => {
    const transcript = createTransferTranscript({ id: undefined });
    assert.deepEqual(transcript({ kind: 'layer', digest, state: 'mounted', detail: 'a/b' }), [
      { status: 'Mounted from a/b', progressDetail: {}, id },
    ]);
  });
});

describe('who a client is at a registry', () => {
  it('stands in a header', () => {
    assert.equal(credentialIn(undefined), undefined);
    assert.equal(credentialIn(encoded({})), undefined);
    assert.equal(credentialIn(encoded({ username: '', password: '' })), undefined);
    assert.deepEqual(credentialIn(encoded({ username: 'a', password: 'b' })), {
      kind: 'password',
      username: 'a',
      password: 'b',
    });
    assert.deepEqual(credentialIn(encoded({ username: 'a', identitytoken: 't' })), {
      kind: 'identity-token',
      token: 't',
    });
    assert.throws(() => credentialIn('YWJj'), { code: 'invalid-parameter' });
  });

  it('of builds for many registries', () => {
    const find = credentialsIn(
      encoded({ 'https://index.docker.io/v1/': { username: 'a', password: 'b' }, 'r.io:5000': { registrytoken: 't' } }),
    );
    assert.equal(find('docker.io')?.kind, 'password');
    assert.equal(find('r.io:5000')?.kind, 'registry-token');
    assert.equal(find('r.io'), undefined);
    assert.equal(credentialsIn(undefined)('r.io'), undefined);
  });
});
