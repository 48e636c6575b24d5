import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { ControlRequest, RolloutStatus } from '../../src/delivery/rollout/index.ts';
import { UserError } from '../../src/lib/errors.ts';
import { type DeliveryScene, sceneForEach } from '../support/delivery-scene.ts';
import { enginesUnderTest } from '../support/engines.ts';
import { freePort } from '../support/free-port.ts';
import { shop, textAt, underLoad } from '../support/rollout-shop.ts';
import { waitFor } from '../support/wait.ts';

/** Rollouts without stages are steered too, and their requests are seen. */

const [engine] = (await enginesUnderTest()).filter(({ skip }) => skip === false);

describe('steering', { skip: engine === undefined ? 'needs an engine' : false, timeout: 540_000 }, () => {
  let scene: DeliveryScene;
  let port: number;
  let cancel: AbortController;

  beforeEach(async () => {
    cancel = new AbortController();
    port = await freePort();
  });
  afterEach(async () => {
    cancel.abort();
    await waitFor(() => scene.delivery.running('steer') === undefined, { timeoutMs: 60_000, what: 'it is undone' });
  });
  sceneForEach(engine, (opened) => {
    scene = opened;
  });

  const deploy = (version: string, settings: string, web = ''): Promise<unknown> =>
    scene
      .deploy(shop({ name: 'steer', port, version, settings, web }), {}, cancel.signal)
      .catch((error: unknown) => error);
  const control = (action: ControlRequest['action']): RolloutStatus =>
    scene.delivery.control({ project: 'steer', author: 'ann', action });
  const until = async (is: (seen: RolloutStatus) => boolean, what: string): Promise<RolloutStatus> => {
    let seen: RolloutStatus | undefined;
    await waitFor(async () => is((seen = await scene.delivery.status('steer'))), { timeoutMs: 60_000, what });
    return seen!;
  };

  it('a blue-green rollout waits for a word, and takes no weight', async () => {
    await deploy('1', '');
    await using load = await underLoad(port);
    const deploying = deploy('2', ', confirm: true');
    const waiting = await until(({ state }) => state === 'waiting', 'it waits for a person');
    assert.match(waiting.note ?? '', /bascule rollout promote/);
    assert.equal(waiting.strategy, 'blue-green');
    assert.throws(
      () => control({ kind: 'weight', weight: 500 }),
      (error) => error instanceof UserError && error.code === 'weight-not-here' && /blue-green/.test(error.message),
    );
    assert.equal(await textAt(port), 'version=1');
    control({ kind: 'promote' });
    await deploying;
    assert.equal(await textAt(port), 'version=2');
    await waitFor(async () => (await scene.delivery.status('steer')).sides!.candidate.requests > 20, {
      timeoutMs: 10_000,
      what: 'requests after the switch are seen',
    });
    const { sides, state, result } = await scene.delivery.status('steer');
    assert.deepEqual([state, result], ['ended', 'switched']);
    assert.ok(sides!.stable.requests > 20 && sides!.stable.p95Ms! > 0 && sides!.stable.failed === 0);
    assert.equal((await load.stop()).lost, 0);
    const again = deploy('3', ', confirm: true');
    await until(({ state: now }) => now === 'waiting', 'it waits again');
    control({ kind: 'abort' });
    assert.match(String(await again), /was aborted by ann and undone; release 2 serves as before/);
    assert.equal(await textAt(port), 'version=2');
  });

  it('a rolling rollout stops between batches while it is paused, and skips its waits when it is promoted', async () => {
    const web = '    deploy: {replicas: 2, update_config: {parallelism: 1, delay: 10m, monitor: 300ms}}\n';
    const rolling = (version: string): Promise<unknown> =>
      scene
        .deploy(
          shop({ name: 'steer', port, version, settings: ', strategy: rolling' }).replace(
            '    deploy: {replicas: 2}\n',
            web,
          ),
          {},
          cancel.signal,
        )
        .catch((error: unknown) => error);
    await rolling('1');
    await using load = await underLoad(port);
    const deploying = rolling('2');
    await until(
      ({ strategy, steps }) =>
        strategy === 'rolling' && steps.some(({ kind, outcome }) => kind === 'delay' && outcome === 'running'),
      'it waits between batches',
    );
    assert.equal(control({ kind: 'pause' }).state, 'paused');
    const paused = await until(({ note }) => note !== undefined, 'why');
    assert.match(paused.note ?? '', /paused by ann/);
    assert.ok(paused.steps.some(({ outcome }) => outcome === 'pending'));
    control({ kind: 'promote' });
    const outcome = await deploying;
    assert.ok(!(outcome instanceof Error), String(outcome));
    const report = await load.stop();
    assert.equal(report.lost, 0, JSON.stringify(report.examples));
    assert.equal(await textAt(port), 'version=2');
    const { sides } = await scene.delivery.status('steer');
    assert.ok(sides!.candidate.requests > 0, 'the new side was seen');
  });
});
