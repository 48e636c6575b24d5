import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { UserError } from '../../src/lib/errors.ts';
import { type DeliveryScene, sceneForEach } from '../support/delivery-scene.ts';
import { enginesUnderTest } from '../support/engines.ts';
import { freePort } from '../support/free-port.ts';
import { waitFor } from '../support/wait.ts';
import { SERVE, shop, textAt, underLoad } from '../support/rollout-shop.ts';

/** Batches, and numbers of instances, over real engines and a real HAProxy. */

interface Wanted {
  readonly port: number;
  readonly version: string;
  readonly replicas?: number;
  readonly deploy?: string;
  readonly command?: string;
  readonly settings?: string;
}

const rolling = ({ port, version, replicas = 3, deploy = '', command = SERVE, settings = '' }: Wanted): string =>
  shop({ name: 'roll', port, version, command, settings: `, strategy: rolling, drain: 5s${settings}` }).replace(
    'deploy: {replicas: 2}',
    `deploy: {replicas: ${replicas}${deploy}}`,
  );

for (const engine of await enginesUnderTest()) {
  describe(`rolling over ${engine.name}`, { skip: engine.skip, timeout: 540_000 }, () => {
    let scene: DeliveryScene;
    let port: number;

    sceneForEach(engine, (opened) => {
      scene = opened;
    });
    beforeEach(async () => {
      port = await freePort();
    });

    const instances = async (): Promise<readonly string[]> =>
      (await scene.fleet.observe('roll')).instances.filter(({ state }) => state === 'running').map(({ name }) => name);

    it('replaces one after the other under load and loses nothing; so does the way back', async () => {
      await scene.deploy(rolling({ port, version: '1' }));
      await using load = await underLoad(port);
      const next = rolling({
        port,
        version: '2',
        deploy: ', update_config: {parallelism: 1, delay: 100ms, monitor: 300ms}',
      });
      const outcome = await scene.deploy(next);
      assert.deepEqual([outcome.result, outcome.strategy], ['switched', 'rolling']);
      assert.equal(await textAt(port), 'version=2');
      const kinds = (await scene.delivery.ledger('roll', outcome.rollout)).steps.map(({ kind }) => kind);
      for (const kind of ['set-weights', 'drain-instance', 'monitor', 'delay', 'stop-instance']) {
        assert.ok(kinds.includes(kind), kind);
      }
      assert.deepEqual([...(await instances())].sort(), ['roll-web-r2-1', 'roll-web-r2-2', 'roll-web-r2-3']);
      const back = await scene.rollback('roll');
      assert.deepEqual([back.release, back.strategy], [1, 'rolling']);
      assert.equal(await textAt(port), 'version=1');
      const report = await load.stop();
      assert.equal(report.lost, 0, JSON.stringify(report.examples));
      assert.ok((report.versions['1'] ?? 0) > 0 && (report.versions['2'] ?? 0) > 0);
    });

    it('lets old ones go first where that is said, and never all of them', async () => {
      await scene.deploy(rolling({ port, version: '1' }));
      await using load = await underLoad(port);
      await scene.deploy(
        rolling({ port, version: '2', deploy: ', update_config: {order: stop-first, parallelism: 2}' }),
      );
      assert.equal((await load.stop()).lost, 0);
      assert.equal(await textAt(port), 'version=2');
    });

    it('brings the old instances back when it is cancelled half way, and loses nothing', async () => {
      await scene.deploy(rolling({ port, version: '1' }));
      await using load = await underLoad(port);
      const bad = rolling({ port, version: '2' });
      const controller = new AbortController();
      const deploying = scene.deploy(bad, {}, controller.signal);
      const isHalfWay = (): boolean =>
        scene.events.some((event) => event.type === 'step-done' && event.step.kind === 'stop-instance');
      await waitFor(isHalfWay, { timeoutMs: 60_000, what: 'the first old instance has stopped' });
      controller.abort();
      await assert.rejects(deploying, (error) => error instanceof UserError && error.code === 'rollout-cancelled');
      assert.deepEqual([...(await instances())].sort(), ['roll-web-r1-1', 'roll-web-r1-2', 'roll-web-r1-3']);
      assert.equal(await textAt(port), 'version=1');
      const report = await load.stop();
      assert.equal(report.lost, 0, JSON.stringify(report.examples));
      const state = await scene.traffic.observe();
      assert.deepEqual(state.routes.get('roll/web/8000')?.candidate, null);
      assert.equal(state.lanes.filter(({ instances: servers }) => servers.length > 0).length, 1);
    });

    it('scales out and in under load: nothing is restarted, nothing is lost', async () => {
      await scene.deploy(rolling({ port, version: '1', replicas: 2 }));
      await using load = await underLoad(port);
      const watch = { onProgress: () => {}, signal: new AbortController().signal };
      const scale = (web: number) =>
        scene.delivery.amend({ project: 'roll', author: 'test', replicas: { web } }, watch);
      await scale(4);
      assert.deepEqual(
        [...(await instances())].sort(),
        [1, 2, 3, 4].map((index) => `roll-web-r1-${index}`),
      );
      await scale(1);
      assert.deepEqual(await instances(), ['roll-web-r1-1']);
      const report = await load.stop();
      assert.equal(report.lost, 0, JSON.stringify(report.examples));
      const started = (await scene.delivery.ledger('roll')).steps.filter(({ kind }) => kind === 'start-instance');
      assert.deepEqual(started, []);
      assert.equal((await scene.rollback('roll')).release, 2);
      assert.equal((await instances()).length, 4, 'a rollback brings back as many as the release declares');
    });

    it('rolls what the kernel forwards, too', async () => {
      const tcp = (version: string): string =>
        rolling({ port, version, replicas: 2 })
          .replace('drain: 5s', 'drain: 300ms')
          .replace(`"${port}:8000"`, `{target: 8000, published: "${port}", app_protocol: tcp}`);
      await scene.deploy(tcp('1'));
      const seen = new Set<string>();
      const done = new AbortController();
      const asking = (async () => {
        while (!done.signal.aborted) seen.add(await textAt(port));
      })();
      const outcome = await scene.deploy(tcp('2'));
      done.abort();
      await asking;
      assert.equal(outcome.strategy, 'rolling');
      assert.deepEqual([...seen].sort(), ['version=1', 'version=2']);
      assert.equal(await textAt(port), 'version=2');
      const targets = (await scene.traffic.observe()).tcpRoutes.get('roll/web/8000') ?? [];
      assert.equal(targets.length, 2);
    });
  });
}
