import assert from 'node:assert/strict';
import { it } from 'node:test';
import { LoginAttempts, networkOf } from './attempts.ts';

it('passwords can be tried a few times at once, and then slowly; right ones do not count', () => {
  let now = 1_000;
  const attempts = new LoginAttempts(() => now);
  const from = '192.0.2.7';
  for (let count = 0; count < 100; count++) {
    const attempt = attempts.begin({ user: 'anna', from });
    assert.ok(typeof attempt === 'object');
    attempt.forget();
  }
  for (let count = 0; count < 10; count++) assert.equal(typeof attempts.begin({ user: 'anna', from }), 'object');
  assert.equal(attempts.begin({ user: 'anna', from }), 30);
  assert.equal(typeof attempts.begin({ user: 'anna', from: '192.0.2.8' }), 'object');
  assert.equal(typeof attempts.begin({ user: 'bob', from }), 'object');
  now += 30_000;
  assert.equal(typeof attempts.begin({ user: 'anna', from }), 'object');
  assert.equal(typeof attempts.begin({ user: 'anna', from }), 'number');
});

it('many names from one address, and many addresses, are bounded, too', () => {
  const attempts = new LoginAttempts(() => 0);
  const tried = (of: (at: number) => { user: string; from: string }): number =>
    Array.from({ length: 1_000 }, (_, at) => attempts.begin(of(at))).filter((each) => typeof each === 'object').length;
  assert.equal(
    tried((at) => ({ user: `user-${at}`, from: '192.0.2.7' })),
    60,
  );
  assert.equal(
    tried((at) => ({ user: 'anna', from: `198.51.${at >> 8}.${at & 255}` })),
    240,
  );
});

it('addresses of one IPv6 network are one', () => {
  assert.equal(networkOf('2001:db8::1'), networkOf('2001:0DB8:0:0:ffff:1:2:3'));
  assert.notEqual(networkOf('2001:db8::1'), networkOf('2001:db8:0:1::1'));
  assert.equal(networkOf('::ffff:192.0.2.7'), '192.0.2.7');
  assert.equal(networkOf('fe80::1%eth0'), 'fe80:0:0:0::/64');
  assert.equal(networkOf('::1'), '0:0:0:0::/64');
});
