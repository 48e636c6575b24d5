import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { PlannedMachine, type Sketch } from '../../../../../test/support/planned-machine.ts';
import type { ProjectSettings, StrategyName } from '../../../compose/index.ts';
import type { Plan } from '../plan.ts';
import { planRetire } from '../retire.ts';
import { undoWaves } from '../undo.ts';
import { rollSettings } from './rolling-settings.ts';

const NAMES = ['web', 'api', 'db', 'mail'] as const;
const STRATEGIES: readonly StrategyName[] = ['blue-green', 'rolling', 'canary'];

const updates = fc.record(
  {
    parallelism: fc.nat(3),
    order: fc.constantFrom('start-first', 'stop-first'),
    delay: fc.constant('1s'),
    monitor: fc.constant('2s'),
  },
  { requiredKeys: [] },
);

/** Projects of up to four services; each may need those that stand behind it in the list. */
const sketches: fc.Arbitrary<Sketch> = fc
  .subarray([...NAMES], { minLength: 1 })
  .chain((names) =>
    fc.tuple(
      ...names.map((name, index) =>
        fc
          .record({
            image: fc.integer({ min: 1, max: 3 }),
            replicas: fc.integer({ min: 1, max: 4 }),
            published: fc.boolean(),
            stateful: fc.constant(name === 'db'),
            tcp: fc.constant(name === 'mail'),
            needs: fc.subarray(names.slice(index + 1)),
            update: updates,
          })
          .map((service) => [name, service] as const),
      ),
    ),
  )
  .map((entries) => Object.fromEntries(entries));

const settings: fc.Arbitrary<Partial<ProjectSettings>> = fc.record({
  rolling: fc.record({ maxUnavailable: fc.nat(2), maxSurge: fc.constantFrom(0, 1, 2, '50%') }, { requiredKeys: [] }),
  confirm: fc.boolean(),
});

interface Act {
  readonly sketch: Sketch;
  readonly strategy: StrategyName;
  readonly settings: Partial<ProjectSettings>;
}
const acts: fc.Arbitrary<Act> = fc.record({ sketch: sketches, strategy: fc.constantFrom(...STRATEGIES), settings });
const histories = fc.array(acts, { minLength: 1, maxLength: 4 });

function planFor(machine: PlannedMachine, act: Act): Plan {
  return machine.planDeploy(machine.releaseOf(act.sketch, act.settings), { strategy: act.strategy });
}

function carryOut(machine: PlannedMachine, plan: Plan, check: () => void): void {
  for (const each of plan.waves.flat()) {
    machine.act(each);
    check();
  }
}

function deploy(machine: PlannedMachine, act: Act, check: (machine: PlannedMachine) => void = () => {}): Plan {
  const target = machine.releaseOf(act.sketch, act.settings);
  const plan = machine.planDeploy(target, { strategy: act.strategy });
  if (plan.unchanged) return plan;
  machine.releases.set(target.number, target);
  carryOut(machine, plan, () => check(machine));
  return plan;
}

/** So many instances may be missing, and too many, in the services of a project. */
function limitsOf({ sketch, settings: { rolling = {} } }: Act): ReadonlyMap<string, { least: number; most: number }> {
  return new Map(
    Object.entries(sketch).map(([name, { replicas, update = {} }]) => {
      const { maxUnavailable, maxSurge } = rollSettings({ kind: 'deploy', replicas, config: update, rolling });
      return [name, { least: replicas - maxUnavailable, most: maxSurge }];
    }),
  );
}

/** A stateful set is away while it is being replaced. */
const isStateful = (service: string): boolean => service === 'db';

/** What each published port can carry: no side has less than its share of the least number of instances. */
function assertCapacity(machine: PlannedMachine, leastOf: (service: string) => number): void {
  for (const [port, sides] of machine.sides()) {
    const service = machine.ports.get(port)!.route.split('/')[1]!;
    if (isStateful(service)) continue;
    for (const { names } of sides)
      for (const name of names) assert.ok(machine.healthy.has(name), `${name} is not healthy`);
    const capacity = Math.min(...sides.map(({ share, names }) => names.length / share));
    const least = Math.max(1, leastOf(service));
    assert.ok(capacity >= least - 0.01, `${service} has the capacity of ${capacity} instances, less than ${least}`);
  }
}

describe('every strategy', () => {
  it('never gives traffic to what is not healthy, and never goes below the capacity that is declared', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const machine = new PlannedMachine();
        let before: Act | undefined;
        for (const act of history) {
          const limits = limitsOf(act);
          const old = before?.sketch ?? {};
          const leastOf = (service: string): number => {
            const replicas = Math.min(old[service]?.replicas ?? Infinity, act.sketch[service]?.replicas ?? Infinity);
            const missing = (act.sketch[service]?.replicas ?? 0) - (limits.get(service)?.least ?? 0);
            return replicas - (act.strategy === 'rolling' ? missing : 0);
          };
          deploy(machine, act, () => assertCapacity(machine, leastOf));
          assertCapacity(machine, (service) => act.sketch[service]?.replicas ?? 1);
          const published = Object.values(act.sketch).filter((each) => each.published).length;
          assert.equal(machine.sides().size, published, 'published ports');
          before = act;
        }
      }),
      { numRuns: 300 },
    );
  });

  it('keeps to max_surge and parallelism at every moment of a rolling rollout', () => {
    fc.assert(
      fc.property(acts, acts, (first, next) => {
        const machine = new PlannedMachine();
        deploy(machine, first);
        const act = { ...next, strategy: 'rolling' } as const;
        const limits = limitsOf(act);
        const already = new Set(machine.running);
        const plan = deploy(machine, act, () => {
          for (const [service, { replicas, published }] of Object.entries(act.sketch)) {
            const old = first.sketch[service];
            const isRolled = old !== undefined && !isStateful(service);
            if (!isRolled || (published && !old.published)) continue;
            const running = [...machine.running].filter((name) => name.startsWith(`p-${service}-`)).length;
            const most = Math.max(old.replicas, replicas) + Math.max(1, limits.get(service)!.most);
            const hasMoved = old.published === published;
            if (hasMoved) assert.ok(running <= most, `${running} of ${service} run, more than ${most}`);
          }
        });
        const isLeft = plan.strategy === 'rolling' && [...already].some((name) => !machine.running.has(name));
        if (isLeft) assert.equal(machine.standing.warm[0]?.keepMs, 0, 'nothing is warm behind it');
      }),
      { numRuns: 300 },
    );
  });

  it('can be undone after any number of steps: the same instances serve as before, and can all the time', () => {
    fc.assert(
      fc.property(histories, acts, fc.nat(), (history, next, stopAt) => {
        const machine = new PlannedMachine();
        for (const act of history) deploy(machine, act);
        const serving = new Map([...machine.sides()].map(([port, sides]) => [port, sortedSides(sides)]));
        const created = [...machine.created.keys()].sort();
        const running = [...machine.running].sort();
        const plan = planFor(machine, next);
        if (plan.unchanged) return;
        const commit = plan.waves.findIndex((wave) => wave.some(({ kind }) => kind === 'set-standing'));
        const last = stopAt % (commit + 1);
        const begun = plan.waves.slice(0, last);
        for (const each of begun.flat()) machine.act(each);
        const last2 = history.at(-1)!;
        const limits = limitsOf(next);
        const leastOf = (service: string): number => {
          const [old, now] = [last2.sketch[service]?.replicas ?? 1, next.sketch[service]?.replicas ?? Infinity];
          return Math.min(old, now) - (next.strategy === 'rolling' ? now - (limits.get(service)?.least ?? now) : 0);
        };
        machine.undoing = true;
        for (const each of undoWaves(plan.waves, (wave) => wave < last).flat()) {
          machine.act(each);
          assertCapacity(machine, (service) => (Number.isNaN(leastOf(service)) ? 1 : leastOf(service)));
        }
        assert.deepEqual([...machine.created.keys()].sort(), created);
        assert.deepEqual([...machine.running].sort(), running);
        assert.deepEqual(new Map([...machine.sides()].map(([port, sides]) => [port, sortedSides(sides)])), serving);
        assert.equal(machine.previews.size, 0);
      }),
      { numRuns: 500 },
    );
  });

  it('ends in the same standing, whichever it is', () => {
    fc.assert(
      fc.property(histories, acts, (history, next) => {
        const ends = STRATEGIES.map((strategy) => {
          const machine = new PlannedMachine();
          for (const act of history) deploy(machine, { ...act, strategy: 'blue-green' });
          deploy(machine, { ...next, strategy });
          retireAll(machine);
          const { current, ports } = machine.standing;
          return { current, ports, created: [...machine.created.keys()].sort(), serving: machine.serving() };
        });
        for (const end of ends.slice(1)) assert.deepEqual(withoutLanes(end), withoutLanes(ends[0]!));
      }),
      { numRuns: 200 },
    );
  });

  it('leads back to each release that was, with capacity all the way; a second time it does nothing', () => {
    fc.assert(
      fc.property(histories, fc.nat(), (history, choice) => {
        const machine = new PlannedMachine();
        for (const act of history) deploy(machine, act);
        const numbers = [...machine.releases.keys()];
        const target = machine.releases.get(numbers[choice % numbers.length]!)!;
        const plan = machine.planDeploy(target, { kind: 'rollback' });
        assert.ok(plan.waves.flat().every(({ kind }) => kind !== 'analyse' && kind !== 'run-job'));
        if (!plan.unchanged) carryOut(machine, plan, () => assertCapacity(machine, () => 1));
        assert.equal(machine.standing.current?.release, target.number);
        assert.equal(machine.planDeploy(target, { kind: 'rollback' }).unchanged, true);
      }),
      { numRuns: 300 },
    );
  });

  it('says that there is nothing to do when it is asked again', () => {
    fc.assert(
      fc.property(histories, (history) => {
        const machine = new PlannedMachine();
        for (const act of history) {
          deploy(machine, act);
          assert.equal(planFor(machine, act).unchanged, true);
        }
      }),
    );
  });
});

function sortedSides(sides: readonly { readonly share: number; readonly names: readonly string[] }[]) {
  return sides.map(({ share, names }) => ({ share, names: names.toSorted() }));
}

function retireAll(machine: PlannedMachine): void {
  const { standing } = machine;
  const leaving = new Set(standing.warm.map(({ release }) => release));
  const plan = planRetire({
    leavingAlready: new Set(),
    project: 'p',
    standing,
    observed: machine.observed(),
    leaving,
    pruned: [],
    releases: new Map(),
  });
  carryOut(machine, plan, () => {});
}

/** Which lane of the pool a set has is chance. */
function withoutLanes<T>(end: T): unknown {
  return JSON.parse(JSON.stringify(end, (key, value: unknown) => (key === 'lanes' ? undefined : value)));
}
