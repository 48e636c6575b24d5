import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { laneName } from './lanes.ts';
import { chooseServer, instanceNames, isParked, isSlot, settleServers, SLOTS } from './slots.ts';

const anyPlaced = fc.record({
  lane: fc.nat({ max: 2 }).map(laneName),
  name: fc.nat({ max: 11 }).map((number) => `web-${number}`),
  protocol: fc.constantFrom('h1' as const, 'h2' as const),
});
const keyOf = ({ lane, name }: { lane: string; name: string }): string => `${lane}/${name}`;
type Placed = { lane: string; name: string; server: string; protocol: 'h1' | 'h2' };
const serverKeys = (placed: readonly Placed[]): string[] => placed.map(({ lane, server }) => `${lane}/${server}`);

describe('servers of instances', () => {
  it('are never shared, and stay while others come and go', () => {
    const step = fc.record({ instance: anyPlaced, leaves: fc.boolean() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const placed = new Map<string, Placed>();
        const last = new Map<string, string>();
        for (const { instance, leaves } of steps) {
          const earlier = [...placed.values()];
          if (leaves) placed.delete(keyOf(instance));
          else if (!placed.has(keyOf(instance))) {
            const server = chooseServer(instance, earlier, last.get(instance.lane));
            assert.equal(isSlot(server), server !== instance.name);
            if (isSlot(server)) last.set(instance.lane, server);
            placed.set(keyOf(instance), { ...instance, server });
          }
          const now = [...placed.values()];
          assert.equal(new Set(serverKeys(now)).size, now.length);
        }
      }),
    );
  });

  it('are slots as long as there are any, except for those that speak HTTP/2', () => {
    const placed: Placed[] = [];
    for (let number = 0; number < SLOTS.length + 2; number++) {
      const instance = { lane: 'lane-000', name: `web-${number}`, protocol: 'h1' } as const;
      placed.push({ ...instance, server: chooseServer(instance, placed) });
    }
    assert.deepEqual(
      placed.map(({ server }) => server),
      [...SLOTS, `web-${SLOTS.length}`, `web-${SLOTS.length + 1}`],
    );
    assert.equal(chooseServer({ lane: 'lane-000', name: 'grpc', protocol: 'h2' }, []), 'grpc');
    assert.equal(chooseServer({ lane: 'lane-001', name: 'other' }, placed), SLOTS[0]);
  });

  it('are given in turn: the one that was just left comes last', () => {
    const given: string[] = [];
    for (const _ of [...SLOTS, 'again']) {
      given.push(chooseServer({ lane: 'lane-000', name: 'web' }, [], given.at(-1)));
    }
    assert.deepEqual(given, [...SLOTS, SLOTS[0]]);
  });

  it('are settled before a start: slots stay, others are filled, twice changes nothing', () => {
    const anyServer = fc.oneof(fc.constantFrom(...SLOTS, '_99'), fc.constant(undefined));
    const anyOld = fc.tuple(anyPlaced, anyServer).map(([placed, server]) => ({
      ...placed,
      server: server === undefined || placed.protocol === 'h2' ? placed.name : server,
    }));
    const anyRecord = fc
      .uniqueArray(anyOld, { selector: keyOf })
      .map((all) => all.filter((one, index) => serverKeys(all).indexOf(`${one.lane}/${one.server}`) === index));
    fc.assert(
      fc.property(anyRecord, (record) => {
        const settled = settleServers(record);
        assert.deepEqual(settled.map(keyOf), record.map(keyOf));
        assert.equal(new Set(serverKeys(settled)).size, settled.length);
        for (const [index, { server }] of record.entries()) {
          if (SLOTS.includes(server)) assert.equal(settled[index]?.server, server);
        }
        const h1 = settled.filter(({ lane, protocol }) => lane === 'lane-000' && protocol === 'h1');
        const slots = h1.filter(({ server }) => SLOTS.includes(server));
        assert.equal(slots.length, Math.min(h1.length, SLOTS.length));
        assert.deepEqual(settleServers(settled), settled);
      }),
    );
  });

  it('are called by the names of their instances', () => {
    const nameOf = instanceNames([{ lane: 'lane-000', name: 'web-1', server: '_2' }]);
    assert.equal(nameOf({ lane: 'lane-000', server: '_2' }), 'web-1');
    assert.equal(nameOf({ lane: 'lane-001', server: '_2' }), '_2');
    assert.equal(nameOf({ lane: 'lane-000', server: 'web-9' }), 'web-9');
  });

  it('are parked in maintenance at an address of nobody', () => {
    const parked = {
      lane: 'lane-000',
      server: '_1',
      address: '127.0.0.1',
      port: 1,
      isInMaintenance: true,
      isUp: false,
    };
    assert.equal(isParked(parked), true);
    assert.equal(isParked({ ...parked, isInMaintenance: false }), false);
    assert.equal(isParked({ ...parked, port: 80 }), false);
    assert.equal(isParked({ ...parked, server: 'web-1' }), false);
  });
});
