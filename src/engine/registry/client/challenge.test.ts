import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseChallenges } from './challenge.ts';

describe('WWW-Authenticate', () => {
  it('has one way or several, with parameters as tokens or in quotes', () => {
    assert.deepEqual(parseChallenges('Bearer realm="https://a.io/t",service="s",scope="repository:a/b:pull,push"'), [
      {
        scheme: 'bearer',
        parameters: { realm: 'https://a.io/t', service: 's', scope: 'repository:a/b:pull,push' },
      },
    ]);
    assert.deepEqual(parseChallenges('Basic Realm=x, Bearer realm="a \\"b\\"" , error=invalid_token'), [
      { scheme: 'basic', parameters: { realm: 'x' } },
      { scheme: 'bearer', parameters: { realm: 'a "b"', error: 'invalid_token' } },
    ]);
    assert.deepEqual(parseChallenges('Negotiate'), [{ scheme: 'negotiate', parameters: {} }]);
    assert.deepEqual(parseChallenges(undefined), []);
  });

  it('never hangs or throws, whatever stands in it', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (text) => {
        assert.ok(Array.isArray(parseChallenges(text)));
      }),
    );
  });
});
