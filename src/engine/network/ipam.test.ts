import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { chooseAddress, chooseHighAddress, chooseSubnet, isHostAddress, POOLS } from './ipam.ts';
import type { Subnet } from './ipv4.ts';
import {
  contains,
  containsSubnet,
  formatAddress,
  formatSubnet,
  overlap,
  parseAddress,
  parseCidr,
  sizeOf,
} from './ipv4.ts';

const address = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const subnet = fc
  .record({ address, prefixLength: fc.integer({ min: 8, max: 30 }) })
  .map(({ address: any, prefixLength }) => parseCidr(`${formatAddress(any)}/${prefixLength}`)!.subnet);
const smallSubnet = subnet.filter(({ prefixLength }) => prefixLength >= 24);

describe('addresses', () => {
  it('are read as they are written', () => {
    fc.assert(fc.property(address, (value) => parseAddress(formatAddress(value)) === value));
    fc.assert(
      fc.property(subnet, (value) => formatSubnet(parseCidr(formatSubnet(value))!.subnet) === formatSubnet(value)),
    );
  });

  it('that are none are refused', () => {
    for (const text of ['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.x', '::1', ' 1.2.3.4'])
      assert.equal(parseAddress(text), undefined, text);
    for (const text of ['10.0.0.0', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/08'])
      assert.equal(parseCidr(text), undefined, text);
  });
});

describe('a chosen subnet', () => {
  it('lies in a pool and overlaps nothing that is taken, wherever the search begins', () => {
    fc.assert(
      fc.property(fc.array(subnet, { maxLength: 20 }), fc.nat(2 ** 31), (taken, offset) => {
        const chosen = chooseSubnet(taken, POOLS, offset);
        if (chosen === undefined) return POOLS.every((pool) => taken.some((other) => overlap(other, pool.block)));
        return (
          POOLS.some((pool) => containsSubnet(pool.block, chosen)) && !taken.some((other) => overlap(other, chosen))
        );
      }),
    );
  });

  it('is another each time, until the pools are used up', () => {
    const pools = [{ block: parseCidr('10.0.0.0/22')!.subnet, prefixLength: 24 }];
    const taken: Subnet[] = [];
    for (let next = chooseSubnet(taken, pools); next !== undefined; next = chooseSubnet(taken, pools)) taken.push(next);
    assert.deepEqual(taken.map(formatSubnet), ['10.0.0.0/24', '10.0.1.0/24', '10.0.2.0/24', '10.0.3.0/24']);
  });

  it('keeps clear of the routes of the machine and of other engines', () => {
    const taken = ['10.89.0.0/24', '10.89.1.0/25', '10.88.0.0/14'].map((text) => parseCidr(text)!.subnet);
    assert.equal(formatSubnet(chooseSubnet(taken)!), '10.92.0.0/22');
  });
});

describe('a chosen address', () => {
  const fill = (space: { subnet: Subnet; gateway: number }): readonly number[] => {
    const used = new Set<number>();
    let cursor: number | undefined;
    for (;;) {
      const next = chooseAddress({ ...space, range: space.subnet, used }, cursor);
      if (next === undefined) return [...used];
      assert.ok(isHostAddress(space.subnet, next) && next !== space.gateway && !used.has(next));
      used.add(next);
      cursor = next;
    }
  };

  it('is a free host address, and every one is found', () => {
    fc.assert(
      fc.property(smallSubnet, (space) => {
        assert.equal(fill({ subnet: space, gateway: space.base + 1 }).length, sizeOf(space) - 3);
      }),
      { numRuns: 50 },
    );
  });

  it('lies in the range that was asked for', () => {
    const space = { subnet: parseCidr('10.0.0.0/16')!.subnet, range: parseCidr('10.0.5.0/28')!.subnet };
    fc.assert(
      fc.property(fc.option(address, { nil: undefined }), (cursor) => {
        const chosen = chooseAddress({ ...space, gateway: parseAddress('10.0.5.1')!, used: new Set() }, cursor);
        return chosen !== undefined && contains(space.range, chosen) && chosen !== parseAddress('10.0.5.1');
      }),
    );
  });

  it('that was given back is the last to be given again', () => {
    const space = {
      subnet: parseCidr('10.0.0.0/29')!.subnet,
      gateway: parseAddress('10.0.0.1')!,
      used: new Set<number>(),
    };
    const given: string[] = [];
    let cursor: number | undefined;
    for (let i = 0; i < 7; i++) {
      cursor = chooseAddress({ ...space, range: space.subnet }, cursor);
      given.push(formatAddress(cursor!));
    }
    const all = ['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6'];
    assert.deepEqual(given, [...all, '10.0.0.2', '10.0.0.3']);
  });

  it('for a resolver comes from the other end', () => {
    const space = { subnet: parseCidr('10.0.0.0/24')!.subnet, gateway: parseAddress('10.0.0.254')! };
    const high = chooseHighAddress({ ...space, range: space.subnet, used: new Set([parseAddress('10.0.0.253')!]) });
    assert.equal(formatAddress(high!), '10.0.0.252');
  });
});
