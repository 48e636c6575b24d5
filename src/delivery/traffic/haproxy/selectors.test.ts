import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Cohort, Preview } from '../traffic.ts';
import { networkPattern, selectorsOf } from './selectors.ts';

const share = (cohorts: readonly Cohort[], candidate: string | null = 'lane-001') => ({
  stable: 'lane-000',
  candidate,
  weight: 0,
  cohorts,
});

/** What the proxy does with a map of regular expressions: the first that matches. */
function chosenBy(
  o: { cohorts?: readonly Cohort[]; preview?: Preview },
  request: { address?: string; headers?: Readonly<Record<string, string>> },
): string | undefined {
  const selectors = selectorsOf(share(o.cohorts ?? []), o.preview);
  assert.ok(selectors !== undefined);
  const lines = Object.entries(request.headers ?? {}).map(([name, value]) => `${name.toLowerCase()}: ${value}\r\n`);
  const subject = `${selectors.id}@${request.address ?? '0A000001'}@host: example.org\r\n${lines.join('')}\r\n`;
  return [...selectors.entries].find(([pattern]) => asRegExp(pattern).test(subject))?.[1];
}

/** `(?s)` at the start is a flag in JavaScript; `(?i:…)` is known to it. */
function asRegExp(pattern: string): RegExp {
  assert.doesNotMatch(pattern, /\s/);
  return new RegExp(pattern.replace('(?s)', ''), 's');
}

describe('cohorts', () => {
  it('are chosen by a header, its name in any case', () => {
    const cohorts = [{ kind: 'header', name: 'X-Beta', value: 'yes (now)' }] as const;
    const choose = (headers: Record<string, string>) => chosenBy({ cohorts }, { headers });
    assert.equal(choose({ 'x-beta': 'yes (now)' }), 'lane-001|cohort');
    assert.equal(choose({ accept: '*/*', 'X-BETA': 'yes (now)', cookie: 'a=1' }), 'lane-001|cohort');
    assert.equal(choose({ 'x-beta': 'yes (now)!' }), undefined);
    assert.equal(choose({ 'x-beta': 'yes' }), undefined);
    assert.equal(choose({ 'not-x-beta': 'yes (now)' }), undefined);
    assert.equal(choose({ other: 'x-beta: yes (now)' }), undefined);
    const any = [{ kind: 'header', name: 'x-beta' }] as const;
    assert.equal(chosenBy({ cohorts: any }, { headers: { 'x-beta': '' } }), 'lane-001|cohort');
  });

  it('are chosen by a cookie among others', () => {
    const cohorts = [{ kind: 'cookie', name: 'beta', value: '1' }] as const;
    const choose = (cookie: string) => chosenBy({ cohorts }, { headers: { cookie, accept: '*/*' } });
    for (const cookie of ['beta=1', 'a=b; beta=1', 'a=b;beta=1; c=d', 'beta=1 ; c=d']) {
      assert.equal(choose(cookie), 'lane-001|cohort', cookie);
    }
    for (const cookie of ['beta=10', 'alphabeta=1', 'a=beta=1', 'BETA=1'])
      assert.equal(choose(cookie), undefined, cookie);
  });

  it('are chosen by the network that a client connects from', () => {
    const cohorts = [{ kind: 'address', networks: ['192.168.0.0/20', '2001:db8::/33'] }] as const;
    const choose = (address: string) => chosenBy({ cohorts }, { address });
    assert.equal(choose('C0A80F07'), 'lane-001|cohort');
    assert.equal(choose('C0A81007'), undefined);
    assert.equal(choose('20010DB87FFF00000000000000000001'), 'lane-001|cohort');
    assert.equal(choose('20010DB8800000000000000000000001'), undefined);
  });

  it('mean the same as the network that they are made of', () => {
    const anyAddress = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
    fc.assert(
      fc.property(anyAddress, anyAddress, fc.integer({ min: 0, max: 32 }), fc.nat(32), (base, other, bits, shared) => {
        const address = base.map((byte, index) => mix({ byte, other: other[index] ?? 0, from: shared - 8 * index }));
        const list = new BlockList();
        list.addSubnet(base.join('.'), bits);
        const matches = new RegExp(`^(?:${networkPattern(`${base.join('.')}/${bits}`)})$`).test(hexOf(address));
        assert.equal(matches, list.check(address.join('.')));
      }),
    );
  });

  it('hold any text that a header may', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...' !"#$%&\'()*+,./:;<=>?@[\\]^`{|}~aZ09-_') }), (text) => {
        const value = text.trim();
        const cohorts = [{ kind: 'header', name: 'x', value }] as const;
        assert.equal(chosenBy({ cohorts }, { headers: { x: value } }), 'lane-001|cohort');
        assert.equal(chosenBy({ cohorts }, { headers: { x: `${value}.` } }), undefined);
      }),
    );
  });

  it('need a candidate, and a preview comes before them', () => {
    assert.equal(selectorsOf(share([{ kind: 'header', name: 'x' }], null), undefined), undefined);
    const cohorts = [{ kind: 'header', name: 'x' }] as const;
    const preview = { lane: 'lane-009', match: { header: { name: 'Bascule-Preview', value: 'token' } } };
    const headers = { x: '1', 'bascule-preview': 'token' };
    assert.equal(chosenBy({ cohorts, preview }, { headers }), 'lane-009|preview');
    assert.equal(chosenBy({ cohorts, preview }, { headers: { x: '1' } }), 'lane-001|cohort');
    const named = { lane: 'lane-009', match: { host: 'example.org' } };
    assert.equal(chosenBy({ preview: named }, {}), 'lane-009|preview');
  });

  it('have an id of their content, so that a set never changes', () => {
    const idOf = (value: string) => selectorsOf(share([{ kind: 'header', name: 'x', value }]), undefined)?.id;
    assert.equal(idOf('1'), idOf('1'));
    assert.notEqual(idOf('1'), idOf('2'));
  });
});

/** The bits of `byte` up to `from`, those of `other` after it. */
function mix({ byte, other, from }: { byte: number; other: number; from: number }): number {
  if (from >= 8) return byte;
  if (from <= 0) return other;
  const mask = (0xff << (8 - from)) & 0xff;
  return (byte & mask) | (other & ~mask & 0xff);
}

function hexOf(bytes: readonly number[]): string {
  return Buffer.from(bytes).toString('hex').toUpperCase();
}
