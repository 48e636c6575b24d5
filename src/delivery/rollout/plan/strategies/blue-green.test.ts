import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PlannedMachine, type Sketch } from '../../../../../test/support/planned-machine.ts';
import type { ServiceSettings } from '../../../compose/index.ts';
import type { Plan } from '../plan.ts';
import { undoWaves } from '../undo.ts';
import { planRetire } from '../retire.ts';
import { liveSets } from '../standing.ts';
import { titleOf } from '../step-title.ts';

const NAMES = ['web', 'api', 'db', 'cache'] as const;

/** Projects of up to four services; each may need those that stand behind it in the list. */
const sketches: fc.Arbitrary<Sketch> = fc
  .uniqueArray(fc.constantFrom(...NAMES), { minLength: 1 })
  .chain((names) =>
    fc.tuple(
      ...names.map((name, index) =>
        fc
          .record({
            image: fc.integer({ min: 1, max: 3 }),
            replicas: fc.integer({ min: 1, max: 3 }),
            published: fc.boolean(),
            stateful: fc.constant(name === 'db'),
            needs: fc.subarray(names.slice(index + 1)),
          })
          .map((service) => [name, service] as const),
      ),
    ),
  )
  .map((entries) => Object.fromEntries(entries));

const histories = fc.array(sketches, { minLength: 1, maxLength: 5 });

function apply(machine: PlannedMachine, plan: Plan, check: () => void = () => {}): void {
  for (const wave of plan.waves) {
    for (const step of wave) {
      machine.act(step);
      check();
    }
  }
}

function deploy(machine: PlannedMachine, sketch: Sketch, check?: () => void): Plan {
  const target = machine.releaseOf(sketch);
  const plan = machine.planDeploy(target);
  if (plan.unchanged) return plan;
  machine.releases.set(target.number, target);
  apply(machine, plan, check);
  return plan;
}

/** Each published port is served by instances that are all healthy, except where a stateful one is being replaced. */
function assertCapacity(machine: PlannedMachine): void {
  for (const [port, names] of machine.serving()) {
    const isReplacing = names.some((name) => machine.created.get(name)?.service === 'db');
    if (isReplacing) continue;
    assert.ok(names.length > 0, `nobody serves ${port}`);
    for (const name of names) assert.ok(machine.healthy.has(name), `${name} serves ${port} and is not healthy`);
  }
}

function retire(machine: PlannedMachine): void {
  const leaving = new Set(machine.standing.warm.map(({ release }) => release));
  const { standing } = machine;
  const plan = planRetire({
    leavingAlready: new Set(),
    project: 'p',
    standing,
    observed: machine.observed(),
    leaving,
    pruned: [],
    releases: new Map(),
  });
  apply(machine, plan, () => assertCapacity(machine));
}

function texts(plan: Plan): readonly string[] {
  return plan.waves.flat().map(titleOf);
}

const SHOP: Sketch = {
  web: { image: 1, replicas: 2, published: true, stateful: false, needs: ['db'] },
  db: { image: 1, replicas: 1, published: false, stateful: true, needs: [] },
};
const change = (sketch: Sketch, name: string, image: number): Sketch => ({
  ...sketch,
  [name]: { ...sketch[name]!, image },
});

describe('blue-green', () => {
  it('starts the new set beside the old one, switches, and keeps the old one warm', () => {
    const machine = new PlannedMachine();
    deploy(machine, SHOP);
    const plan = deploy(machine, change(SHOP, 'web', 2));
    assert.deepEqual(texts(plan), [
      'keep image p-web:r2',
      'keep image p-db:r2',
      'create network p-r2',
      'create p-web-r2-1',
      'create p-web-r2-2',
      'connect p-db-r1-1 to p-r2',
      'start p-web-r2-1',
      'start p-web-r2-2',
      'wait until p-web-r2-1 is healthy',
      'wait until p-web-r2-2 is healthy',
      'put p-web-r2-1 into lane-1',
      'put p-web-r2-2 into lane-1',
      'switch p/web/80',
      'release 2 is current, warm: 1',
    ]);
    assert.deepEqual(plan.warnings, []);
    assert.ok(plan.waves.flat().every(({ cause }) => cause !== ''));
  });

  it('goes back to a warm release by the switch alone', () => {
    const machine = new PlannedMachine();
    deploy(machine, SHOP);
    deploy(machine, change(SHOP, 'web', 2));
    const plan = machine.planDeploy(machine.releases.get(1)!, { kind: 'rollback' });
    assert.deepEqual(texts(plan), ['switch p/web/80', 'release 1 is current, warm: 2']);
  });

  it('stops a stateful set before the new one starts, and says so', () => {
    const machine = new PlannedMachine();
    deploy(machine, SHOP);
    const plan = deploy(machine, change(SHOP, 'db', 2));
    const order = texts(plan);
    assert.ok(order.indexOf('stop p-db-r1-1') < order.indexOf('start p-db-r2-1'));
    assert.match(plan.warnings[0] ?? '', /^db has a volume and is replaced \(image changed\)/);
    assert.ok(!order.includes('create p-web-r2-1'), 'the web depends on a stateful service: it is carried over');
  });

  it('stops a service that is no more when another one takes its volume', () => {
    const machine = new PlannedMachine();
    deploy(machine, { db: SHOP['db']! });
    const renamed = machine.releaseOf({ db: SHOP['db']! });
    const service = renamed.model.services['db']!;
    const target = {
      ...renamed,
      model: { ...renamed.model, services: { database: service } },
      services: { database: { ...renamed.services['db']!, name: 'database', identity: 'x', ownIdentity: 'x' } },
    };
    const order = texts(machine.planDeploy(target));
    assert.ok(order.indexOf('stop p-db-r1-1') < order.indexOf('start p-database-r2-1'));
  });

  it('starts stateless sets anew when forced', () => {
    const machine = new PlannedMachine();
    deploy(machine, SHOP);
    const order = texts(machine.planDeploy(machine.releaseOf(SHOP), { force: true }));
    assert.ok(order.includes('start p-web-r2-1'));
    assert.ok(!order.includes('start p-db-r2-1'));
  });

  it('heals a set of which nothing runs by a new one', () => {
    const machine = new PlannedMachine();
    deploy(machine, SHOP);
    for (const name of ['p-web-r1-1', 'p-web-r1-2']) machine.running.delete(name);
    const plan = machine.planDeploy(machine.releaseOf(SHOP));
    assert.equal(plan.unchanged, false);
    assert.ok(plan.waves.flat().some(({ cause }) => cause === 'its instances do not run'));
  });

  it('replaces the dead instances of a set that lives, and leaves the others alone', () => {
    const machine = new PlannedMachine();
    deploy(machine, SHOP);
    machine.running.delete('p-web-r1-1');
    machine.healthy.delete('p-web-r1-1');
    const order = texts(deploy(machine, SHOP));
    assert.ok(order.includes('start p-web-r1-3'));
    assert.ok(!order.includes('start p-web-r1-2'));
    assert.deepEqual(machine.standing.current?.sets.find(({ service }) => service === 'web')?.instances, [
      'p-web-r1-2',
      'p-web-r1-3',
    ]);
    assert.ok(!machine.created.has('p-web-r1-1'));
  });

  it('scales a set out, and restarts nothing', () => {
    const machine = new PlannedMachine();
    deploy(machine, SHOP);
    const plan = deploy(machine, { ...SHOP, web: { ...SHOP['web']!, replicas: 3 } });
    assert.deepEqual(texts(plan), [
      'keep image p-web:r2',
      'keep image p-db:r2',
      'create network p-r2',
      'create p-web-r1-3',
      'connect p-db-r1-1 to p-r2',
      'connect p-web-r1-1 to p-r2',
      'connect p-web-r1-2 to p-r2',
      'connect p-web-r1-3 to p-r2',
      'start p-web-r1-3',
      'wait until p-web-r1-3 is healthy',
      'put p-web-r1-3 into lane-0',
      'release 2 is current, warm: 1',
    ]);
    assert.ok(plan.waves.flat().some(({ cause }) => cause === '2 → 3 instances'));
  });

  it('scales a set in: what leaves is drained first, behind the new standing', () => {
    const machine = new PlannedMachine();
    deploy(machine, SHOP);
    const order = texts(deploy(machine, { ...SHOP, web: { ...SHOP['web']!, replicas: 1 } }));
    assert.deepEqual(order.slice(-5), [
      'release 2 is current, warm: 1',
      'drain p-web-r1-2 in lane-0',
      'take p-web-r1-2 out of lane-0',
      'stop p-web-r1-2',
      'remove p-web-r1-2',
    ]);
    assert.deepEqual(machine.standing.warm[0]?.sets, machine.standing.current?.sets, 'both releases share the set');
    const back = texts(machine.planDeploy(machine.releases.get(1)!, { kind: 'rollback' }));
    assert.ok(back.includes('start p-web-r1-2'), 'a rollback brings back as many as the release declares');
  });

  it('sees changes that touch no set: hosts and paths, limits, access logs', () => {
    const machine = new PlannedMachine();
    deploy(machine, SHOP);
    const withSettings = (settings: ServiceSettings): Sketch => ({
      ...SHOP,
      web: { ...SHOP['web']!, more: { settings } },
    });
    const limited = deploy(machine, withSettings({ maxBodyBytes: 1_000, accessLog: true }));
    assert.deepEqual(texts(limited).slice(-2), ['set options of p/web/80', 'release 2 is current, warm: 1']);
    const hosted = deploy(
      machine,
      withSettings({ maxBodyBytes: 1_000, accessLog: true, route: { host: 'a.example' } }),
    );
    assert.deepEqual(texts(hosted).slice(-3), [
      'publish port 8000/http (a.example) for p/web/80',
      'release 3 is current, warm: 2, 1',
      'unpublish port 8000/http for p/web/80',
    ]);
    assert.ok(![...texts(limited), ...texts(hosted)].some((title) => title.startsWith('start ')));
    assert.deepEqual(
      texts(deploy(machine, SHOP)).filter((title) => title.startsWith('set ')),
      ['set options of p/web/80'],
    );
  });

  it('does what the Compose file wants to be done around the start and the switch, in its order', () => {
    const machine = new PlannedMachine();
    const job = { service: 'web', command: ['x'], timeoutMs: 1, retries: 0 };
    const smoke = { path: '/ok', status: 200, timeoutMs: 1 };
    const sketch: Sketch = { ...SHOP, web: { ...SHOP['web']!, replicas: 1, more: { settings: { smoke } } } };
    deploy(machine, sketch);
    const target = machine.releaseOf(change(sketch, 'web', 2), {
      confirm: true,
      preview: { kind: 'header', name: 'x-preview', value: 'yes' },
      jobs: {
        prepare: { ...job, at: 'before-start' },
        expand: { ...job, at: 'before-switch', migration: 'expand' },
        contract: { ...job, at: 'after-switch', migration: 'contract' },
      },
    });
    const order = texts(machine.planDeploy(target));
    const from = order.indexOf('run job prepare');
    assert.deepEqual(order.slice(from), [
      'run job prepare',
      'start p-web-r2-1',
      'wait until p-web-r2-1 is healthy',
      'put p-web-r2-1 into lane-1',
      'preview p/web/80 in lane-1',
      'smoke test p-web-r2-1/ok',
      'run job expand',
      'smoke test p-web-r1-1/ok',
      'wait for `bascule rollout promote`',
      'switch p/web/80',
      'end the preview of p/web/80',
      'release 2 is current, warm: 1',
      'run job contract',
    ]);
  });

  it('runs a job behind what its service needs', () => {
    const machine = new PlannedMachine();
    const migrate = { service: 'web', command: ['x'], timeoutMs: 1, retries: 0, at: 'before-start' } as const;
    const order = texts(machine.planDeploy(machine.releaseOf(SHOP, { jobs: { migrate } })));
    const [db, run, web] = ['wait until p-db-r1-1 is healthy', 'run job migrate', 'start p-web-r1-1'].map((title) =>
      order.indexOf(title),
    );
    assert.ok(db! < run! && run! < web!, order.join(', '));
  });

  it('goes back to an image whose release is still warm: that is a change', () => {
    const machine = new PlannedMachine();
    deploy(machine, SHOP);
    deploy(machine, change(SHOP, 'web', 2));
    const plan = deploy(machine, SHOP);
    assert.equal(plan.unchanged, false);
    assert.ok(texts(plan).includes('switch p/web/80'));
    assert.ok(!texts(plan).some((title) => title.startsWith('start ')));
  });
});

describe('every blue-green plan', () => {
  it('never moves traffic to what is not healthy, and never goes below capacity', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const machine = new PlannedMachine();
        for (const sketch of history) {
          deploy(machine, sketch, () => assertCapacity(machine));
          const expected = Object.values(sketch).filter(({ published }) => published).length;
          assert.equal(machine.serving().size, expected, 'published ports');
          for (const names of machine.serving().values()) assert.ok(names.length > 0);
        }
      }),
    );
  });

  it('says that there is nothing to do when it is asked again', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const machine = new PlannedMachine();
        for (const sketch of history) {
          deploy(machine, sketch);
          assert.equal(machine.planDeploy(machine.releaseOf(sketch)).unchanged, true);
        }
      }),
    );
  });

  it('carries a stateful set over exactly when its own image and configuration are unchanged', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const machine = new PlannedMachine();
        let before: Sketch[string] | undefined;
        for (const sketch of history) {
          const plan = deploy(machine, sketch);
          const starts = plan.waves
            .flat()
            .filter((step) => step.kind === 'start-instance' && step.instance.startsWith('p-db-'));
          const db = sketch['db'];
          const isSame =
            before !== undefined && db !== undefined && before.image === db.image && before.replicas === db.replicas;
          if (isSame) assert.deepEqual(starts, []);
          before = db;
        }
      }),
    );
  });

  it('can be undone after any number of steps: the same instances serve as before', () => {
    fc.assert(
      fc.property(histories, sketches, fc.nat(), (history, next, stopAt) => {
        const machine = new PlannedMachine();
        for (const sketch of history) deploy(machine, sketch);
        const serving = machine.serving();
        const instances = [...machine.created.keys()].sort();
        const plan = machine.planDeploy(machine.releaseOf(next));
        if (plan.unchanged) return;
        const commit = plan.waves.flat().findIndex(({ kind }) => kind === 'set-standing');
        const begun = plan.waves.flat().slice(0, stopAt % (commit + 1));
        for (const step of begun) machine.act(step);
        const isBegun = (wave: number, index: number): boolean => begun.includes(plan.waves[wave]![index]!);
        for (const step of undoWaves(plan.waves, isBegun).flat()) machine.act(step);
        assert.deepEqual([...machine.created.keys()].sort(), instances);
        assert.deepEqual([...machine.serving()], [...serving]);
        for (const set of machine.standing.current?.sets ?? []) {
          for (const name of set.instances) assert.ok(machine.running.has(name), `${name} runs`);
        }
      }),
    );
  });

  it('leads back to each release that was', () => {
    fc.assert(
      fc.property(histories, fc.nat(), (history, choice) => {
        const machine = new PlannedMachine();
        for (const sketch of history) deploy(machine, sketch);
        const numbers = [...machine.releases.keys()];
        const target = machine.releases.get(numbers[choice % numbers.length]!)!;
        const plan = machine.planDeploy(target, { kind: 'rollback' });
        if (plan.unchanged) return assert.equal(machine.standing.current?.release, target.number);
        apply(machine, plan, () => assertCapacity(machine));
        assert.equal(machine.standing.current?.release, target.number);
        assert.equal(machine.planDeploy(target, { kind: 'rollback' }).unchanged, true, 'a second time it does nothing');
      }),
    );
  });

  it('leaves exactly what the current release needs when the warm ones are retired', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const machine = new PlannedMachine();
        for (const sketch of history) deploy(machine, sketch);
        retire(machine);
        const needed = liveSets(machine.standing).flatMap((set) => set.instances);
        assert.deepEqual([...machine.created.keys()].sort(), needed.toSorted());
        const lanes = new Set(liveSets(machine.standing).flatMap((set) => Object.values(set.lanes)));
        assert.deepEqual(
          [...machine.lanes.keys()].filter((lane) => !lanes.has(lane)),
          [],
        );
        assertCapacity(machine);
      }),
    );
  });
});
