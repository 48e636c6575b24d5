import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ledger } from '../../src/delivery/rollout/index.ts';
import { type DeliveryScene, sceneForEach } from '../support/delivery-scene.ts';
import { enginesUnderTest } from '../support/engines.ts';
import { freePort } from '../support/machine.ts';
import { shop, textAt, underLoad } from '../support/rollout-shop.ts';
import { waitFor } from '../support/wait.ts';

/** Instances that go, end or fall ill while nobody deploys. */

for (const engine of await enginesUnderTest()) {
  describe(`healing over ${engine.name}`, { skip: engine.skip, timeout: 240_000 }, () => {
    let scene: DeliveryScene;

    sceneForEach(engine, (opened) => {
      scene = opened;
    });

    const wellAgain = async (project: string, not: ReadonlySet<string>): Promise<void> => {
      await waitFor(
        async () => {
          const { instances, rollout } = await scene.delivery.ps(project);
          const well = instances.filter(
            ({ health, id, role }) => role === 'current' && health === 'healthy' && !not.has(id),
          );
          return well.length === 2 && rollout === undefined;
        },
        { timeoutMs: 30_000, what: 'two healthy instances' },
      );
    };

    it('replaces an instance that somebody removed, and one that somebody stopped', async () => {
      const port = await freePort();
      await scene.deploy(shop({ name: 'gone', port, version: '1' }));
      const first = (await scene.delivery.ps('gone')).instances;
      const [removed, stopped] = first.map(({ name }) => name) as [string, string];
      await scene.fleet.removeInstance(removed);
      await wellAgain('gone', new Set([first[0]!.id]));
      await using load = await underLoad(port);
      await scene.fleet.stopInstance(stopped);
      await wellAgain('gone', new Set(first.map(({ id }) => id)));
      const { lost } = await load.stop();
      assert.ok(lost <= 4, `${lost} lost: only what ran on the stopped one may be`);
      const ledgers = await scene.delivery.ledgers('gone');
      const heals = ledgers.filter(({ kind }) => kind === 'heal');
      assert.equal(heals.length, 2);
      assert.match(heals[1]?.steps[0]?.cause ?? '', /is gone/);
      assert.equal((await scene.delivery.ledger('gone')).kind, 'up', 'the last word on a rollout of a person');
    });

    it('starts the successor of an ill instance beside it, and loses nothing', async () => {
      const port = await freePort();
      const command =
        'mkdir -p /tmp/w && echo version=$V > /tmp/w/index.html && echo ok > /tmp/w/well && exec httpd -f -p 8000 -h /tmp/w';
      const text = shop({ name: 'ill', port, version: '1', command }).replace('8000/"]', '8000/well"]');
      await scene.deploy(text);
      const first = (await scene.delivery.ps('ill')).instances;
      await using load = await underLoad(port);
      const session = await scene.fleet.exec(first[0]!.name, {
        args: ['rm', '/tmp/w/well'],
        env: {},
        tty: false,
        attachStdin: false,
      });
      for await (const _ of session.output);
      await wellAgain('ill', new Set([first[0]!.id]));
      const report = await load.stop();
      assert.equal(report.lost, 0, JSON.stringify(report.examples));
      const names = (await scene.delivery.ps('ill')).instances.map(({ name }) => name);
      assert.ok(!names.includes(first[0]!.name), `${names.join(', ')}: the successor has a name of its own`);
      assert.equal(await textAt(port), 'version=1');
    });

    it('finds what vanished while the daemon was down, and lets a person go first', async () => {
      const port = await freePort();
      await scene.deploy(shop({ name: 'down', port, version: '1' }));
      const [first] = (await scene.delivery.ps('down')).instances;
      await scene.fleet.removeInstance(first!.name);
      const outcome = await scene.deploy(shop({ name: 'down', port, version: '2' }));
      assert.equal(outcome.result, 'switched');
      assert.equal(await textAt(port), 'version=2');
      await wellAgain('down', new Set());
    });

    it('leaves a set alone ever longer whose instances are never well', async () => {
      const port = await freePort();
      // Whoever starts as the third or later one never serves.
      const command = `[ $(ls /data | wc -l) -lt 2 ] || exec sleep 1000; touch /data/$(hostname); mkdir -p /tmp/w && echo version=$V > /tmp/w/index.html && exec httpd -f -p 8000 -h /tmp/w`;
      const web = '    volumes: ["data:/data"]\n    x-bascule: {stateful: false}';
      const text = shop({ name: 'loop', port, version: '1', command, web, more: 'volumes: {data: {}}' });
      await scene.deploy(text.replace('15s', '3s'));
      for (const { name } of (await scene.delivery.ps('loop')).instances) await scene.fleet.removeInstance(name);
      const heals = async () =>
        (await scene.delivery.ledgers('loop')).filter(({ kind }) => kind === 'heal').toReversed();
      await waitFor(async () => (await heals()).length >= 3, { timeoutMs: 40_000, what: 'three attempts' });
      const [first, second, third] = await heals();
      const restMs = (of?: Ledger, until?: Ledger): number => until!.startedAt.getTime() - of!.endedAt!.getTime();
      // One second, two, four …
      assert.ok(restMs(first, second) >= 950, `${restMs(first, second)} ms`);
      assert.ok(restMs(second, third) >= 1_950, `${restMs(second, third)} ms`);
      const { failure } = (await heals())[0]!;
      assert.match(failure?.reason ?? '', /health/);
    });
  });
}
