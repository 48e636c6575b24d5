import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ObservedInstance } from '../../fleet/index.ts';
import type { StepRecord } from '../execute/journal.ts';
import type { BrokenInstance } from '../plan/heal.ts';
import type { Observed } from '../plan/plan.ts';
import { EMPTY_STANDING, type SetRecord, type Standing } from '../plan/standing.ts';
import type { Step, StepBody } from '../plan/step.ts';
import { mayBeReplaced, oneAtATime } from './beside-rollout.ts';
import { wordsOf } from './follow-tcp.ts';

const SET: SetRecord = {
  service: 'web',
  origin: 1,
  identity: 'a',
  ownIdentity: 'a',
  stateful: false,
  job: false,
  mayExit: false,
  instances: ['p-web-r1-1', 'p-web-r1-2'],
  network: 'p-r1',
  lanes: {},
  writes: [],
};

function standingOf(protocol: 'http' | 'tcp'): Standing {
  return {
    ...EMPTY_STANDING,
    current: { release: 1, sets: [SET] },
    ports: [{ port: 8_000, protocol, route: 'p/web/80' }],
  };
}

function observedOf(health: ObservedInstance['health']): Observed {
  const seen = (name: string, own: ObservedInstance['health']) => ({ name, state: 'running', health: own });
  const instances = [seen('p-web-r1-1', 'unhealthy'), seen('p-web-r1-2', health)] as unknown as ObservedInstance[];
  return {
    fleet: { instances, networks: [], volumes: [] },
    traffic: {
      routes: new Map(),
      tcpRoutes: new Map(),
      publishedPorts: [],
      lanes: [],
      routeOptions: new Map(),
    },
  };
}

const record = (body: StepBody, more: Partial<StepRecord> = {}): StepRecord => {
  const step: Step = { ...body, cause: 'test' };
  return { seq: 0, wave: 0, undoing: false, outcome: 'pending', ...more, step };
};
const broken = (isRunning: boolean, name = 'p-web-r1-1'): BrokenInstance => ({
  name,
  set: SET,
  cause: 'test',
  isRunning,
});

describe('what may be replaced beside a rollout', () => {
  const healthy = { standing: standingOf('http'), observed: observedOf('healthy'), steps: [] };

  it('is what is gone and no step is about', () => {
    assert.equal(mayBeReplaced(broken(false), healthy), true);
    assert.equal(mayBeReplaced(broken(false), { ...healthy, steps: undefined }), false);
    const stop = record({ kind: 'stop-instance', instance: 'p-web-r1-1' });
    assert.equal(mayBeReplaced(broken(false), { ...healthy, steps: [stop] }), false);
    const connect: StepBody = { kind: 'connect-network', instance: 'p-web-r1-1', network: 'p-r2', aliases: [] };
    assert.equal(mayBeReplaced(broken(false), { ...healthy, steps: [record(connect)] }), false);
    assert.equal(mayBeReplaced(broken(false), { ...healthy, steps: [record(connect, { outcome: 'done' })] }), true);
  });

  it('is what is ill where another one is well and gets its requests', () => {
    assert.equal(mayBeReplaced(broken(true), healthy), true);
    for (const health of ['unhealthy', 'starting'] as const)
      assert.equal(mayBeReplaced(broken(true), { ...healthy, observed: observedOf(health) }), false);
    assert.equal(mayBeReplaced(broken(true), { ...healthy, standing: standingOf('tcp') }), false);
    assert.equal(mayBeReplaced(broken(false), { ...healthy, standing: standingOf('tcp') }), true);
  });

  it('is one of those that run, and all that do not', () => {
    const ill = [broken(true, 'a'), broken(true, 'b')];
    const gone = [broken(false, 'c'), broken(false, 'd')];
    assert.deepEqual(
      oneAtATime([gone[0]!, ...ill, gone[1]!]).map(({ name }) => name),
      ['c', 'a', 'd'],
    );
  });
});

describe('the last word of a rollout on a TCP route', () => {
  const side = { instances: SET.instances, network: 'p-r1' };
  const switched = (to: string, more: Partial<StepRecord>): StepRecord => {
    const body = { kind: 'switch-tcp', route: 'p/web/80', port: 80, to: { instances: [to] }, from: side } as const;
    return record(body, more);
  };

  it('is how it was before it has said anything', () => {
    const expected = [{ route: 'p/web/80', port: 80, to: side, isSaid: true }];
    assert.deepEqual(wordsOf(standingOf('tcp'), []), expected);
    assert.deepEqual(wordsOf(standingOf('tcp'), [switched('new', {})]), expected);
    assert.deepEqual(wordsOf(standingOf('http'), []), []);
  });

  it('is that of the last step that has begun', () => {
    const steps = [
      switched('first', { seq: 1, outcome: 'done' }),
      switched('next', { seq: 2, outcome: 'running' }),
      switched('later', { seq: 3 }),
    ];
    const [word] = wordsOf(standingOf('tcp'), steps);
    assert.deepEqual(word, { route: 'p/web/80', port: 80, to: { instances: ['next'] }, seq: 2, isSaid: false });
  });
});
