import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ObservedInstance } from '../../fleet/index.ts';
import type { Release } from '../../release/index.ts';
import { planDown } from './down.ts';
import { preStopSteps } from './hooks.ts';
import { planRetire } from './retire.ts';
import { undoWaves } from './undo.ts';
import { EMPTY_STANDING } from './standing.ts';
import { inversesOf } from './inverse.ts';
import type { Step } from './step.ts';
import { titleOf } from './step-title.ts';

const release = {
  project: 'p',
  number: 1,
  model: { services: { worker: { pre_stop: [{ command: ['leave'] }] }, web: {} } },
  services: { worker: { job: false }, web: { job: false } },
} as unknown as Release;

const releases = new Map([[1, release]]);

function instance(name: string, more: Partial<ObservedInstance> = {}): ObservedInstance {
  const service = name.split('-')[1]!;
  return { name, service, project: 'p', release: 1, state: 'running', labels: {}, ...more } as ObservedInstance;
}

const traffic = { routes: new Map(), tcpRoutes: new Map(), publishedPorts: [], lanes: [], routeOptions: new Map() };
const titles = (waves: readonly (readonly Step[])[]): readonly string[] => waves.flat().map(titleOf);
const cause = 'test';

describe('what is done before an instance is stopped', () => {
  it('is done in running instances of services that declare it, and in no job', () => {
    const seen = [
      instance('p-worker-r1-1'),
      instance('p-worker-r1-2', { state: 'exited' }),
      instance('p-worker-r1-job', { labels: { 'bascule.job': 'migrate' } }),
      instance('p-worker-r9-1', { release: 9 }),
      instance('p-web-r1-1'),
    ];
    assert.deepEqual(titles([preStopSteps(releases, seen)]), ['run pre_stop of p-worker-r1-1']);
  });

  it('comes before the stop when a project goes down, and when a release is retired', () => {
    const observed = { fleet: { instances: [instance('p-worker-r1-1')], networks: [], volumes: [] }, traffic };
    const input = { project: 'p', standing: EMPTY_STANDING, observed, releases };
    const expected = ['run pre_stop of p-worker-r1-1', 'stop p-worker-r1-1', 'remove p-worker-r1-1'];
    assert.deepEqual(titles(planDown({ ...input, current: release, volumes: false }).waves), expected);
    assert.deepEqual(
      titles(planRetire({ leavingAlready: new Set(), ...input, leaving: new Set(), pruned: [] }).waves),
      expected,
    );
  });

  it('is done when a rollout is undone; what had left its queue enters it again', () => {
    const hooks = { release: 1, service: 'worker' };
    const start: Step = { kind: 'start-instance', instance: 'new', stateful: false, hooks, cause };
    const leave: Step = { kind: 'run-hooks', instance: 'old', hook: 'pre_stop', ...hooks, cause };
    const stop: Step = { kind: 'stop-instance', instance: 'old', cause };
    const undo = titles(undoWaves([[start], [leave], [stop]], () => true));
    assert.deepEqual(undo, [
      'start old',
      'run post_start of old',
      'run pre_stop of new',
      'stop new',
      'check addresses',
    ]);
  });

  it('is not done in a job, which is stopped and removed', () => {
    const job: Step = { kind: 'run-job', instance: 'j', job: 'j', release: 1, timeoutMs: 1, retries: 0, cause };
    assert.deepEqual(titles([inversesOf(job)]), ['stop j', 'remove j']);
  });
});
