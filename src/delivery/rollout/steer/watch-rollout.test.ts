import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canaryStatus } from '../../../../test/support/rollout-status.ts';
import type { RolloutStatus } from '../views.ts';
import { Changes } from './changes.ts';
import { newsOf, nextStatus } from './watch-rollout.ts';

const { signal } = new AbortController();

function withWeight(weight: number): RolloutStatus {
  const status = canaryStatus();
  return { ...status, stage: { ...status.stage!, weight } };
}

/** Whoever looks on, and what they are told when it changes. */
function watched(first: RolloutStatus) {
  const [changes, project] = [new Changes(), first.project];
  let [now, reads] = [first, 0];
  return {
    set: (status: RolloutStatus): void => {
      now = status;
      changes.touch(project);
    },
    reads: () => reads,
    next: (shown: RolloutStatus) =>
      nextStatus(changes, { project, news: newsOf(shown), read: () => (reads++, now), signal }),
  };
}

describe('what is shown of a rollout', () => {
  it('is a weight that holds for a moment only, however much noise there was before', async () => {
    const [before, between] = [withWeight(500), withWeight(1_250)];
    const scene = watched(before);
    const shown = scene.next(before);
    scene.set({ ...before }); // numbers alone
    scene.set(between);
    const status = await shown;
    assert.equal(status?.stage?.weight, 1_250);
  });

  it('is a change that came while the last status was still being read', async () => {
    const scene = watched(withWeight(500));
    scene.set(withWeight(1_250));
    assert.equal((await scene.next(withWeight(500)))?.stage?.weight, 1_250);
    assert.equal(scene.reads(), 1);
  });

  it('is a status with other numbers, some time after the last one', async () => {
    const status = withWeight(500);
    const scene = watched(status);
    const began = performance.now();
    const shown = scene.next(status);
    scene.set({ ...status });
    await shown;
    assert.ok(performance.now() - began >= 199, 'numbers are held back');
  });
});
