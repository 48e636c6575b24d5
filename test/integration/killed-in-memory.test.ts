import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { openDatabase } from '../../src/lib/database.ts';
import { silentLog } from '../../src/lib/log.ts';
import { projectOf, requestOf } from '../support/delivery-scene.ts';
import { MemoryWorld } from '../support/memory-world.ts';
import { waitFor } from '../support/wait.ts';
import { createDelivery } from '../../src/delivery/rollout/delivery.ts';
import type { Delivery } from '../../src/delivery/rollout/face.ts';
import { openJournal } from '../../src/delivery/rollout/execute/journal.ts';
import { liveSets } from '../../src/delivery/rollout/plan/standing.ts';

/** Two HTTP services, a stateful one and a job; `v` changes the web, `api` and `db` the others. */
interface Versions {
  readonly v: string;
  readonly api?: string;
  readonly db?: string;
  /** `x-bascule`, in flow style. */
  readonly settings?: string;
}

const yaml = ({ v, api = '1', db = '1', settings = '{}' }: Versions): string => `
name: shop
x-bascule: ${settings}
services:
  web:
    image: web:${v}
    ports: ["8080:80"]
    deploy: {replicas: 2}
    depends_on: {api: {condition: service_healthy}, setup: {condition: service_completed_successfully}}
  api:
    image: api:${api}
    ports: ["8081:80"]
    depends_on: {db: {condition: service_healthy}}
  setup: {image: "setup:${v}"}
  db:
    image: db:${db}
    ports: ["5432:5432"]
    volumes: ["data:/data"]
volumes: {data: {}}
`;

class Machine {
  readonly world = new MemoryWorld();
  readonly root = mkdtempSync(join(tmpdir(), 'bascule-resume-'));
  readonly database = openDatabase(':memory:');
  readonly journal = openJournal(this.database);
  /** What the clock of its lives is ahead. */
  aheadMs = 0;

  /** A life of the daemon that ends at its call number `dieAt`. */
  boot(dieAt = Infinity, when: 'before' | 'after' = 'before'): { delivery: Delivery; died: Promise<void> } {
    const { fleet, traffic, died } = this.world.life(dieAt, when);
    const delivery = createDelivery({
      database: this.database,
      directory: this.root,
      fleet,
      traffic,
      log: silentLog,
      now: () => new Date(Date.now() + this.aheadMs),
      probe: { listens: async () => true, httpStatus: async () => 200 },
      startProbes: () => ({ reports: () => [], stop: async () => {} }),
    });
    return { delivery, died };
  }

  /** Timers of lives that died go on in this process: they find nothing any more. */
  [Symbol.dispose](): void {
    this.database.close();
    const nothing = { all: () => [], get: () => undefined, run: () => ({ changes: 0, lastInsertRowid: 0 }) };
    Object.assign(this.database, { prepare: () => nothing, exec: () => {} });
    rmSync(this.root, { recursive: true });
  }
}

const watch = { onProgress: () => {}, signal: new AbortController().signal };

async function deploy(delivery: Delivery, versions: Versions): Promise<unknown> {
  return await delivery.deploy(requestOf(projectOf(yaml(versions), '/nowhere')), watch);
}

/** All services of the project are on the same release, and nothing is there that no live release needs. */
function assertWhole({ world, journal }: Machine): number | undefined {
  assert.deepEqual(journal.unfinished(), []);
  const standing = journal.standing('shop');
  const sets = liveSets(standing);
  assert.deepEqual([...world.instances.keys()].sort(), sets.flatMap((set) => set.instances).sort(), 'instances');
  for (const set of standing.current?.sets ?? []) {
    const lane = set.lanes['80'];
    if (lane === undefined) continue;
    assert.equal(world.routes.get(`shop/${set.service}/80`)?.stable, lane, `route of ${set.service}`);
    assert.deepEqual(
      [...(world.lanes.get(lane)?.keys() ?? [])].sort(),
      [...set.instances].sort(),
      `lane of ${set.service}`,
    );
  }
  const db = standing.current?.sets.find((set) => set.service === 'db');
  if (db !== undefined) assert.equal(world.instances.get(db.instances[0]!)?.state, 'running', 'the database runs');
  const ports = standing.ports.map(({ port }) => port).sort();
  assert.deepEqual(world.ports.map(({ port }) => port).sort(), ports, 'ports');
  assert.deepEqual(world.violations, []);
  return standing.current?.release;
}

interface Scenario {
  readonly name: string;
  /** Brings the machine to where the rollout begins. */
  prepare(delivery: Delivery): Promise<unknown>;
  act(delivery: Delivery, machine: Machine): Promise<unknown>;
  /** The current release after a rollout that was not disturbed, and after one that was undone. */
  readonly wanted: number | undefined;
  /** Current between the two. */
  readonly between?: number;
  readonly ill?: string;
}

const ROLLING = '{strategy: rolling, drain: 1ms}';
const CANARY =
  '{strategy: canary, drain: 1ms, analysis: {enabled: false}, canary: {steps: [{weight: 10%, for: 1ms}, {weight: 50%, for: 1ms}]}}';

const SCENARIOS: readonly Scenario[] = [
  { name: 'the first release', prepare: async () => {}, act: (d) => deploy(d, { v: '1' }), wanted: 1 },
  {
    name: 'a deploy',
    prepare: (d) => deploy(d, { v: '1' }),
    act: (d) => deploy(d, { v: '2', api: '2' }),
    wanted: 2,
  },
  {
    name: 'a deploy that replaces the stateful service',
    prepare: (d) => deploy(d, { v: '1' }),
    act: (d) => deploy(d, { v: '2', api: '2', db: '2' }),
    wanted: 2,
  },
  {
    name: 'a deploy of a service that never becomes healthy',
    prepare: (d) => deploy(d, { v: '1' }),
    act: (d) => deploy(d, { v: '1', api: '2', db: '2' }),
    wanted: 1,
    ill: 'sha256:api:2',
  },
  {
    name: 'a rolling deploy',
    prepare: (d) => deploy(d, { v: '1' }),
    act: (d) => deploy(d, { v: '2', api: '2', settings: ROLLING }),
    wanted: 2,
  },
  {
    name: 'a rolling deploy of which a later batch never becomes healthy',
    prepare: (d) => deploy(d, { v: '1' }),
    act: (d) => deploy(d, { v: '2', api: '2', settings: ROLLING }),
    wanted: 1,
    ill: 'sha256:web:2',
  },
  {
    name: 'a canary',
    prepare: (d) => deploy(d, { v: '1' }),
    act: (d) => deploy(d, { v: '2', api: '2', settings: CANARY }),
    wanted: 2,
  },
  {
    name: 'a warm rollback',
    prepare: async (d) => {
      await deploy(d, { v: '1' });
      await deploy(d, { v: '2', api: '2' });
    },
    act: (d) => d.rollback({ project: 'shop', author: 'test' }, watch),
    wanted: 1,
  },
  {
    name: 'a rollback across a replaced stateful service',
    prepare: async (d) => {
      await deploy(d, { v: '1' });
      await deploy(d, { v: '2', api: '2', db: '2' });
    },
    act: (d) => d.rollback({ project: 'shop', author: 'test' }, watch),
    wanted: 1,
  },
  {
    name: 'a rollback beside which an older release is retired',
    prepare: async (d) => {
      await deploy(d, { v: '1' });
      await deploy(d, { v: '2', api: '2' });
    },
    act: async (d, machine) => {
      machine.aheadMs += 60_000;
      await deploy(d, { v: '3', api: '2' });
      await d.rollback({ project: 'shop', author: 'test' }, watch);
      await d.settled();
    },
    wanted: 2,
    between: 3,
  },
  {
    name: 'down',
    prepare: async (d) => {
      await deploy(d, { v: '1' });
      await deploy(d, { v: '2' });
    },
    act: (d) => d.down({ project: 'shop', volumes: true, author: 'test' }, watch),
    wanted: undefined,
  },
];

describe('a daemon that is killed at any call to the outside', { timeout: 600_000 }, () => {
  for (const scenario of SCENARIOS) {
    it(`brings ${scenario.name} to one end`, async () => {
      const calls = await countCalls(scenario);
      assert.ok(calls > 0);
      for (let dieAt = 1; dieAt <= calls; dieAt++) {
        for (const when of ['before', 'after'] as const) {
          for (const again of [Infinity, 2]) await crashAt(scenario, { dieAt, when, again });
        }
      }
    });
  }

  it('takes back what it healed beside a canary, and the canary goes on', async () => {
    using machine = new Machine();
    const { delivery } = machine.boot();
    await deploy(delivery, { v: '1' });
    const canary = deploy(delivery, { v: '2', settings: CANARY.replaceAll('for: 1ms', 'for: 1h') });
    canary.catch(() => {});
    const isWaiting = ({ running }: Delivery): boolean => running('shop')?.step?.kind === 'analyse';
    await waitFor(() => isWaiting(delivery), { timeoutMs: 30_000, what: 'it has its share' });
    await delivery.close();

    const { world, journal } = machine;
    const [name = ''] =
      journal.standing('shop').current?.sets.find(({ service }) => service === 'api')?.instances ?? [];
    world.instances.get(name)!.state = 'created'; // made again, not started yet
    const cause = 'it is gone';
    const heal = journal.open({
      ...{ project: 'shop', number: journal.nextNumber('shop'), kind: 'heal', author: 'bascule' },
      ...{ startedMs: Date.now(), readings: [] },
      waves: [
        [{ kind: 'create-instance', instance: name, release: 1, service: 'api', index: 1, cause }],
        [{ kind: 'start-instance', instance: name, stateful: false, cause }],
      ],
    });
    journal.begin(heal, [0], Date.now());

    const next = machine.boot().delivery;
    await next.resume();
    await waitFor(() => isWaiting(next), { timeoutMs: 30_000, what: 'the canary goes on' });
    assert.equal(journal.find('shop', heal.number)?.result, 'undone');
    assert.ok(!world.instances.has(name), 'what was begun is taken back');
    next.control({ project: 'shop', author: 'test', action: { kind: 'abort' } });
    await next.settled();
    assert.equal(journal.find('shop', heal.number - 1)?.result, 'undone');
    await next.close();
  });
});

/** How many calls the rollout makes when nothing happens. */
async function countCalls(scenario: Scenario): Promise<number> {
  using machine = new Machine();
  const delivery = await prepared(machine, scenario);
  const before = machine.world.trace.length;
  await scenario.act(delivery, machine).catch(() => {});
  const calls = machine.world.trace.length - before;
  await delivery.close();
  assert.equal(assertWhole(machine), scenario.wanted);
  return calls;
}

async function prepared(machine: Machine, scenario: Scenario): Promise<Delivery> {
  const { delivery } = machine.boot();
  await scenario.prepare(delivery);
  if (scenario.ill !== undefined) machine.world.ill.add(scenario.ill);
  assert.deepEqual(machine.world.violations, []);
  return delivery;
}

interface Crash {
  readonly dieAt: number;
  readonly when: 'before' | 'after';
  /** The call at which the next life dies too. */
  readonly again: number;
}

async function crashAt(scenario: Scenario, { dieAt, when, again }: Crash): Promise<void> {
  using machine = new Machine();
  await (await prepared(machine, scenario)).close();
  const before = machine.journal.standing('shop').current?.release;
  const first = machine.boot(dieAt, when);
  await Promise.race([scenario.act(first.delivery, machine).catch(() => {}), first.died]);
  const second = machine.boot(again, when);
  await Promise.race([second.delivery.resume().then(() => second.delivery.settled()), second.died]);
  const last = machine.boot();
  await last.delivery.resume();
  await last.delivery.settled();
  await last.delivery.close();
  try {
    const release = assertWhole(machine);
    const between = scenario.between === undefined ? [] : [scenario.between];
    const ends = [scenario.wanted, ...between, before];
    assert.ok(ends.includes(release), `release ${release} is none of ${ends.join(', ')}`);
  } catch (error) {
    throw new Error(`killed ${when} call ${dieAt} (then ${again}): ${machine.world.trace.slice(-40).join('\n')}`, {
      cause: error,
    });
  }
}
