import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { laneName } from '../lanes.ts';
import { isSlot, PARKED } from '../slots.ts';
import type { Intent, RecordedInstance } from '../state.ts';
import type { RouteShare } from '../traffic.ts';
import { lookupOf } from './matches.ts';
import type { MapEntries, RuntimeServer } from './replies.ts';
import { planRepairs, type Repairs, type Runtime } from './repair.ts';
import { parseShare, routesEntries, routeText, selectorEntries } from './shares.ts';
import { parseVersion } from './version.ts';

const version = parseVersion('HAProxy version 2.6.12-1+deb12u4 2026/10/17 - https://haproxy.org/');

const anyInstance = fc.record<RecordedInstance>({
  lane: fc.nat({ max: 3 }).map(laneName),
  name: fc.constantFrom('a', 'b', 'c'),
  server: fc.constantFrom('a', 'b', 'c', '_1', '_2'),
  address: fc.constantFrom('10.0.0.1', '10.0.0.2'),
  port: fc.constantFrom(80, 8080),
  isDraining: fc.boolean(),
});
const keyOf = ({ lane, server }: { lane: string; server: string }): string => `${lane}/${server}`;
const anyInstances = fc.uniqueArray(anyInstance, { selector: keyOf });
const parkedSlots: readonly RuntimeServer[] = [0, 1, 2, 3].flatMap((index) =>
  ['_1', '_2'].map((server) => ({ lane: laneName(index), server, ...PARKED, isInMaintenance: true, isUp: false })),
);
/** With their slots, as every proxy has them. */
const withSlots = (servers: readonly RuntimeServer[]): readonly RuntimeServer[] => [
  ...new Map([...parkedSlots, ...servers].map((server) => [keyOf(server), server])).values(),
];
const anyLane = fc.nat({ max: 255 }).map(laneName);
const anyShare: fc.Arbitrary<RouteShare> = fc.oneof(
  fc.record({ stable: anyLane, candidate: fc.constant(null), weight: fc.constant(0) }),
  fc.record({ stable: anyLane, candidate: anyLane, weight: fc.nat({ max: 10_000 }) }),
);

const asServer = ({ lane, server, address, port, isDraining }: RecordedInstance): RuntimeServer => ({
  lane,
  server,
  address,
  port,
  isInMaintenance: isDraining,
  isUp: !isDraining,
});
const intentOf = (instances: readonly RecordedInstance[]): Intent => ({
  instances,
  routes: new Map(),
  previews: new Map(),
  options: new Map(),
  tcpRoutes: new Map(),
  ports: [],
  certificates: [],
});
const held = (entries: ReadonlyMap<string, string>): MapEntries =>
  new Map([...entries].map(([key, value]) => [key, { reference: '0x1', value }]));
const runtimeOf = (servers: readonly RuntimeServer[]): Runtime => ({
  servers,
  routes: new Map(),
  ports: new Map(),
  matches: new Map(),
  selectors: new Map(),
});
const textOf = (share: RouteShare): string =>
  routeText({ ...intentOf([]), routes: new Map([['shop/web/80', share]]) }, 'shop/web/80');

/** What the proxy would hold after these repairs. */
function obey(servers: readonly RuntimeServer[], repairs: Repairs): Map<string, RuntimeServer> {
  const live = new Map(servers.map((server) => [keyOf(server), server]));
  for (const instance of repairs.slotsToFill) {
    assert.ok(live.has(keyOf(instance)) && isSlot(instance.server));
    live.set(keyOf(instance), asServer(instance));
  }
  for (const { lane, server } of repairs.slotsToEmpty) {
    live.set(`${lane}/${server}`, { lane, server, ...PARKED, isInMaintenance: true, isUp: false });
  }
  for (const command of [...repairs.additions, ...repairs.removals].flat()) {
    const [verb, noun, key = '', where = ''] = command.split(' ');
    const [lane = '', name = ''] = key.split('/');
    const server = live.get(key);
    assert.ok(!isSlot(name) || verb === 'set', command);
    if (verb === 'del') live.delete(key);
    if (verb === 'add') {
      const [address = '', port = ''] = where.split(':');
      live.set(key, { lane, server: name, address, port: Number(port), isInMaintenance: true, isUp: false });
    }
    const change = (isInMaintenance: boolean): void => {
      if (server !== undefined) live.set(key, { ...server, isInMaintenance, isUp: !isInMaintenance });
    };
    if (verb === 'enable' && noun === 'server') change(false);
    if (verb === 'set') change(command.endsWith('maint'));
  }
  return live;
}

describe('repairing a running proxy', () => {
  it('does nothing when it agrees with the record', () => {
    fc.assert(
      fc.property(anyInstances, (instances) => {
        const runtime = runtimeOf(withSlots(instances.map(asServer)));
        const repairs = planRepairs({ version, httpPort: 61_000, tlsPort: 62_000 }, intentOf(instances), runtime);
        assert.ok(Object.values(repairs).every((part) => (typeof part === 'boolean' ? !part : part.length === 0)));
      }),
    );
  });

  it('makes it agree, whatever it held before', () => {
    fc.assert(
      fc.property(anyInstances, anyInstances, (wanted, present) => {
        const servers = withSlots(present.map(asServer));
        const runtime = runtimeOf(servers);
        const repairs = planRepairs({ version, httpPort: 61_000, tlsPort: 62_000 }, intentOf(wanted), runtime);
        const after = obey(servers, repairs);
        assert.deepEqual(
          [...after.values()].sort((a, b) => keyOf(a).localeCompare(keyOf(b))),
          [...withSlots(wanted.map(asServer))].sort((a, b) => keyOf(a).localeCompare(keyOf(b))),
        );
      }),
    );
  });

  it('sees entries that differ, are missing or are too many', () => {
    const intent: Intent = {
      ...intentOf([]),
      ports: [
        { port: 80, protocol: 'http', route: 'shop/web/80' },
        { port: 80, protocol: 'http', route: 'shop/api/80', path: '/api' },
      ],
      routes: new Map([['shop/web/80', { stable: 'lane-000', candidate: null, weight: 0 }]]),
      previews: new Map([['shop/web/80', { lane: 'lane-001', match: { header: { name: 'x', value: '1' } } }]]),
    };
    const lookup = lookupOf(intent.ports, intent.previews, { httpPort: 61_000, tlsPort: 62_000 });
    const agreeing = {
      ...runtimeOf([]),
      routes: held(routesEntries(intent)),
      ports: held(lookup.ports),
      matches: held(lookup.matches),
      selectors: held(selectorEntries(intent)),
    };
    const differences = (runtime: Runtime): readonly string[] =>
      Object.entries(planRepairs({ version, httpPort: 61_000, tlsPort: 62_000 }, intent, runtime)).flatMap(
        ([name, value]) => (value === true ? [name] : []),
      );
    assert.deepEqual(differences(agreeing), []);
    assert.deepEqual(differences({ ...agreeing, routes: new Map() }), ['routesDiffer']);
    assert.deepEqual(differences({ ...agreeing, selectors: new Map() }), ['selectorsDiffer']);
    assert.deepEqual(differences({ ...agreeing, matches: new Map() }), ['matchesDiffer']);
    const more = new Map([...agreeing.ports, ['81', { reference: '0x2', value: 'shop/web/80' }] as const]);
    assert.deepEqual(differences({ ...agreeing, ports: more }), ['portsDiffer']);
  });
});

describe('an entry of the routes map', () => {
  it('is read as it was written', () => {
    fc.assert(fc.property(anyShare, (share) => assert.deepEqual(parseShare(textOf(share)), { ...share })));
  });

  it('is the lane alone for a plain route', () => {
    assert.equal(textOf({ stable: 'lane-000', candidate: null, weight: 5_000 }), 'lane-000');
  });

  it('tells all that the proxy needs of any other', () => {
    assert.equal(
      textOf({ stable: 'lane-000', candidate: 'lane-001', weight: 0, observed: true }),
      'lane-000|lane-001|0|-|o|-',
    );
    const routes = new Map([['r', { stable: 'lane-000', candidate: null, weight: 0 }]]);
    const options = new Map([['r', { accessLog: 'with-query', maxBodyBytes: 1_000, redirectToHttps: true } as const]]);
    assert.equal(routeText({ ...intentOf([]), routes, options }, 'r'), 'lane-000|-|0|-|aqis|1000');
    const cohorts = [{ kind: 'header', name: 'X-Beta' }] as const;
    const withCohorts = textOf({ stable: 'lane-000', candidate: 'lane-001', weight: 100, cohorts });
    assert.match(withCohorts, /^lane-000\|lane-001\|100\|s[0-9a-f]{12}\|-\|-$/);
    assert.equal(textOf({ stable: 'lane-000', candidate: null, weight: 0, cohorts }), 'lane-000');
  });
});
