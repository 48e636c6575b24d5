import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PlannedMachine, type Sketch } from '../../../../../test/support/planned-machine.ts';
import type { ProjectSettings } from '../../../compose/index.ts';
import type { Plan } from '../plan.ts';
import { undoWaves } from '../undo.ts';
import { titleOf } from '../step-title.ts';

const SHOP: Sketch = {
  web: { image: 1, replicas: 2, published: true, stateful: false, needs: ['api'] },
  api: { image: 1, replicas: 1, published: false, stateful: false, needs: [] },
  queue: { image: 1, replicas: 1, published: true, stateful: false, tcp: true, needs: [] },
};
const NEXT: Sketch = Object.fromEntries(Object.entries(SHOP).map(([name, each]) => [name, { ...each, image: 2 }]));
const CANARY: Partial<ProjectSettings> = {
  strategy: 'canary',
  canary: {
    steps: [
      { weight: 500, requests: 100 },
      { weight: 2_500, forMs: 60_000 },
      { weight: 5_000, pause: true },
    ],
    cohorts: [{ kind: 'header', name: 'x-tester' }],
    onInsufficient: 'wait',
    maxWaitMs: 1,
  },
};

function rolledOut(): { machine: PlannedMachine; plan: Plan } {
  const machine = new PlannedMachine();
  const first = machine.releaseOf(SHOP);
  const up = machine.planDeploy(first);
  machine.releases.set(1, first);
  for (const each of up.waves.flat()) machine.act(each);
  return { machine, plan: machine.planDeploy(machine.releaseOf(NEXT, CANARY)) };
}

describe('canary', () => {
  it('gives more and more to a set that is all there, and compares both at each stage', () => {
    const { plan } = rolledOut();
    const order = plan.waves.flat().map(titleOf);
    assert.deepEqual(order.slice(order.indexOf('give 5 % to the new release')), [
      'give 5 % to the new release',
      'give 5 % of p/queue/80 (TCP) to p-queue-r2-1',
      'compare both releases at 5 % (stage 1 of 3)',
      'give 25 % to the new release',
      'give 25 % of p/queue/80 (TCP) to p-queue-r2-1',
      'compare both releases at 25 % (stage 2 of 3)',
      'give 50 % to the new release',
      'give 50 % of p/queue/80 (TCP) to p-queue-r2-1',
      'compare both releases at 50 % (stage 3 of 3)',
      'switch p/web/80',
      'switch p/queue/80 (TCP)',
      'release 2 is current, warm: 1',
    ]);
    assert.equal(plan.strategy, 'canary');
  });

  it('observes its routes, lets cohorts in from the first stage on, and guards every new instance', () => {
    const { plan } = rolledOut();
    const steps = plan.waves.flat();
    const shares = steps.flatMap((step) => (step.kind === 'set-weights' ? step.changes : []));
    assert.ok(shares.every(({ to }) => to.observed === true && to.cohorts?.length === 1));
    assert.deepEqual(
      shares.map(({ to, from }) => [from.weight, to.weight]),
      [
        [0, 500],
        [500, 2_500],
        [2_500, 5_000],
      ],
    );
    const stages = steps.flatMap((step) => (step.kind === 'analyse' ? [step] : []));
    assert.deepEqual(
      stages.map(({ until }) => until),
      [{ requests: 100 }, { forMs: 60_000 }, { confirmed: true }],
    );
    for (const { guarded, sides } of stages) {
      assert.deepEqual([...guarded].sort(), ['p-api-r2-1', 'p-queue-r2-1', 'p-web-r2-1', 'p-web-r2-2']);
      assert.deepEqual(sides, [{ service: 'web', route: 'p/web/80', stable: 'lane-0', candidate: 'lane-1' }]);
    }
  });

  it('takes all traffic away in one act when it is undone, then lets requests end', () => {
    const { plan } = rolledOut();
    const third = plan.waves.findIndex((wave) => wave.some((step) => step.kind === 'analyse' && step.stage === 3));
    const undo = undoWaves(plan.waves, (wave) => wave <= third).map((wave) => wave.map(titleOf));
    assert.deepEqual(undo[0], ['give 0 % to the new release', 'give 100 % of p/queue/80 (TCP) to p-queue-r1-1']);
    assert.deepEqual(undo[1], ['drain p-queue-r2-1']);
    assert.deepEqual(undo[2], ['drain p-web-r2-1 in lane-1', 'drain p-web-r2-2 in lane-1']);
    assert.deepEqual(undo[3], ['take p-web-r2-1 out of lane-1', 'take p-web-r2-2 out of lane-1']);
  });

  it('is an atomic switch where nothing can be compared: the first release, and a rollback', () => {
    const machine = new PlannedMachine();
    const first = machine.planDeploy(machine.releaseOf(SHOP, CANARY));
    assert.equal(first.strategy, 'blue-green');
    const { machine: served, plan } = rolledOut();
    served.releases.set(2, served.releaseOf(NEXT, CANARY));
    for (const each of plan.waves.flat()) served.act(each);
    const back = served.planDeploy(served.releases.get(1)!, { kind: 'rollback' });
    assert.equal(back.strategy, 'blue-green');
    assert.ok(back.waves.flat().every(({ kind }) => kind !== 'analyse'));
  });
});
