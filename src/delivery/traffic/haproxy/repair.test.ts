import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { laneName } from '../lanes.ts';
import type { Intent, RecordedInstance } from '../state.ts';
import type { RouteShare } from '../traffic.ts';
import { parseShare, shareText } from './commands.ts';
import type { RuntimeServer } from './replies.ts';
import { planRepairs, portsEntries, routesEntries } from './repair.ts';
import { parseVersion } from './version.ts';

const version = parseVersion('HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/');

const anyInstance = fc.record<RecordedInstance>({
  lane: fc.nat({ max: 3 }).map(laneName),
  name: fc.constantFrom('a', 'b', 'c'),
  address: fc.constantFrom('10.0.0.1', '10.0.0.2'),
  port: fc.constantFrom(80, 8080),
  isDraining: fc.boolean(),
});
const keyOf = ({ lane, name }: { lane: string; name: string }): string => `${lane}/${name}`;
const anyInstances = fc.uniqueArray(anyInstance, { selector: keyOf });
const anyLane = fc.nat({ max: 255 }).map(laneName);
const anyShare: fc.Arbitrary<RouteShare> = fc.oneof(
  fc.record({ stable: anyLane, candidate: fc.constant(null), weight: fc.constant(0) }),
  fc.record({ stable: anyLane, candidate: anyLane, weight: fc.nat({ max: 10_000 }) }),
);

const asServer = ({ isDraining, ...rest }: RecordedInstance): RuntimeServer => ({
  ...rest,
  isInMaintenance: isDraining,
  isUp: !isDraining,
});
const intentOf = (instances: readonly RecordedInstance[]): Intent => ({
  instances,
  routes: new Map(),
  tcpRoutes: new Map(),
  ports: [],
});

/** What the proxy would hold after these lines. */
function obey(servers: readonly RuntimeServer[], lines: readonly (readonly string[])[]): Map<string, RuntimeServer> {
  const held = new Map(servers.map((server) => [keyOf(server), server]));
  for (const command of lines.flat()) {
    const [verb, noun, key = '', where = ''] = command.split(' ');
    const [lane = '', name = ''] = key.split('/');
    const server = held.get(key);
    if (verb === 'del') held.delete(key);
    if (verb === 'add') {
      const [address = '', port = ''] = where.split(':');
      held.set(key, { lane, name, address, port: Number(port), isInMaintenance: true, isUp: false });
    }
    const change = (isInMaintenance: boolean): void => {
      if (server !== undefined) held.set(key, { ...server, isInMaintenance, isUp: !isInMaintenance });
    };
    if (verb === 'enable' && noun === 'server') change(false);
    if (verb === 'set') change(command.endsWith('maint'));
  }
  return held;
}

describe('repairing a running proxy', () => {
  it('does nothing when it agrees with the record', () => {
    fc.assert(
      fc.property(anyInstances, (instances) => {
        const runtime = { servers: instances.map(asServer), routes: new Map(), ports: new Map() };
        const { additions, removals, routesDiffer, portsDiffer } = planRepairs(
          { version, httpPort: 61_000 },
          intentOf(instances),
          runtime,
        );
        assert.deepEqual([additions, removals, routesDiffer, portsDiffer], [[], [], false, false]);
      }),
    );
  });

  it('makes it agree, whatever it held before', () => {
    fc.assert(
      fc.property(anyInstances, anyInstances, (wanted, held) => {
        const servers = held.map(asServer);
        const { additions, removals } = planRepairs({ version, httpPort: 61_000 }, intentOf(wanted), {
          servers,
          routes: new Map(),
          ports: new Map(),
        });
        const after = obey(servers, [...additions, ...removals]);
        assert.deepEqual(
          [...after.values()].sort((a, b) => keyOf(a).localeCompare(keyOf(b))),
          wanted.map(asServer).sort((a, b) => keyOf(a).localeCompare(keyOf(b))),
        );
      }),
    );
  });

  it('sees entries that differ, are missing or are too many', () => {
    const ports = [{ port: 80, protocol: 'http', route: 'shop/web/80' }] as const;
    const intent = {
      ...intentOf([]),
      ports,
      routes: new Map([['shop/web/80', { stable: 'lane-000', candidate: null, weight: 0 }]]),
    };
    const agreeing = { servers: [], routes: routesEntries(intent), ports: portsEntries(ports, 61_000) };
    assert.equal(planRepairs({ version, httpPort: 61_000 }, intent, agreeing).routesDiffer, false);
    assert.equal(
      planRepairs({ version, httpPort: 61_000 }, intent, { ...agreeing, routes: new Map() }).routesDiffer,
      true,
    );
    const more = new Map([...agreeing.ports, ['81', 'shop/web/80']]);
    assert.equal(planRepairs({ version, httpPort: 61_000 }, intent, { ...agreeing, ports: more }).portsDiffer, true);
  });
});

describe('an entry of the routes map', () => {
  it('is read as it was written', () => {
    fc.assert(fc.property(anyShare, (share) => assert.deepEqual(parseShare(shareText(share)), { ...share })));
  });

  it('has no weight without a candidate', () => {
    assert.equal(shareText({ stable: 'lane-000', candidate: null, weight: 5_000 }), 'lane-000||0');
  });
});

describe('entries of the ports map', () => {
  it('name the address where there is one, and leave TCP out', () => {
    const route = 'shop/web/80';
    const entries = portsEntries(
      [
        { port: 80, protocol: 'http', route, slot: 3 },
        { port: 81, protocol: 'http', route, hostAddress: '127.0.0.1' },
        { port: 82, protocol: 'tcp', route },
      ],
      61_000,
    );
    assert.deepEqual([...entries.keys()], ['80', '127.0.0.1@81', '6@61004']);
    assert.equal(entries.get('6@61004'), '80');
  });
});
