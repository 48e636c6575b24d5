import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ledger } from '../../src/delivery/rollout/index.ts';
import { type DeliveryScene, sceneForEach } from '../support/delivery-scene.ts';
import { enginesUnderTest } from '../support/engines.ts';
import { freePort } from '../support/free-port.ts';
import { shop, textAt, underLoad } from '../support/rollout-shop.ts';
import { waitFor } from '../support/wait.ts';

/** Instances that go, end or fall ill while nobody deploys. */

const engines = await enginesUnderTest();

for (const engine of engines) {
  describe(`healing over ${engine.name}`, { skip: engine.skip, timeout: 540_000 }, () => {
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

    if (engine !== engines[0]) return; // what follows is the same over any
    it('replaces what serves during a long canary, also what both releases use', async () => {
      const port = await freePort();
      const api = `  api:
    image: busybox
    command: ["httpd", "-f", "-p", "80", "-h", "/etc"]
    stop_grace_period: 1s
    healthcheck: {test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1/passwd"], interval: 300ms, retries: 10}
`;
      const settings =
        ', drain: 1s, strategy: canary, analysis: {enabled: false}, canary: {steps: [{weight: 10%, for: 30m}]}';
      const file = (version: string): string => shop({ name: 'long', port, version, settings, more: api });
      await scene.deploy(file('1'));
      const first = (await scene.delivery.ps('long')).instances;
      const rollout = scene.deploy(file('2'));
      rollout.catch(() => {});
      const isWaiting = (): boolean => scene.delivery.running('long')?.step?.kind === 'analyse';
      await waitFor(isWaiting, { timeoutMs: 60_000, what: 'the canary has its share' });

      const lost = ['web', 'api'].map((name) => first.find(({ service }) => service === name)!);
      for (const { name } of lost) await scene.fleet.removeInstance(name);
      const old = new Set(lost.map(({ id }) => id));
      const well = async (): Promise<boolean> => {
        const { instances } = await scene.delivery.ps('long');
        const serving = instances.filter(
          ({ role, health, id }) => role === 'current' && health === 'healthy' && !old.has(id),
        );
        return serving.length === 3;
      };
      await waitFor(well, { timeoutMs: 60_000, what: 'what serves is whole again' });
      assert.ok(isWaiting(), 'while the canary goes on');
      const shared = await scene.fleet.inspect(lost[1]!.name);
      assert.deepEqual([...shared!.networks].sort(), ['long-r1', 'long-r2'], 'both releases find it');
      const isBack = async (): Promise<boolean> => {
        const lane = (await scene.traffic.observe()).lanes.find(({ instances }) =>
          instances.some(({ name, state }) => name === lost[0]!.name && state === 'up'),
        );
        return lane?.instances.length === 2;
      };
      await waitFor(isBack, { timeoutMs: 30_000, what: 'its successor gets requests' });

      scene.delivery.control({ project: 'long', author: 'test', action: { kind: 'abort' } });
      await assert.rejects(rollout, /aborted by test/);
      await waitFor(well, { timeoutMs: 30_000, what: 'it is still whole' });
      await waitFor(
        async () => {
          const { instances, networks } = await scene.fleet.observe('long');
          return instances.length === 3 && networks.length === 1;
        },
        { timeoutMs: 30_000, what: 'nothing is left of the canary' },
      );
      assert.equal(await textAt(port), 'version=1');
    });

    it('replaces beside a canary what is ill, and what is reached past the proxy', async () => {
      const [port, tcp] = [await freePort(), await freePort()];
      const command =
        'mkdir -p /tmp/w && echo version=$V > /tmp/w/index.html && echo ok > /tmp/w/well && exec httpd -f -p 8000 -h /tmp/w';
      const feed = (version: string): string => `  feed:
    image: busybox
    command: ["httpd", "-f", "-p", "9000", "-h", "/etc"]
    environment: {VERSION: "${version}"}
    ports: [{target: 9000, published: "${tcp}", app_protocol: tcp}]
    stop_grace_period: 1s
`;
      const settings =
        ', drain: 1s, strategy: canary, analysis: {enabled: false}, canary: {steps: [{weight: 10%, for: 30m}]}';
      const file = (version: string): string =>
        shop({ name: 'beside', port, version, settings, command, more: feed(version) }).replace(
          '8000/"]',
          '8000/well"]',
        );
      await scene.deploy(file('1'));
      const rollout = scene.deploy(file('2'));
      rollout.catch(() => {});
      const isWaiting = (): boolean => scene.delivery.running('beside')?.step?.kind === 'analyse';
      await waitFor(isWaiting, { timeoutMs: 60_000, what: 'the canary has its share' });
      const serving = async () =>
        (await scene.delivery.ps('beside')).instances.filter(({ role }) => role === 'current');
      const before = await serving();
      const ill = before.find(({ service }) => service === 'web')!;
      const gone = before.find(({ service }) => service === 'feed')!;

      await using load = await underLoad(port);
      await scene.fleet.removeInstance(gone.name);
      const session = await scene.fleet.exec(ill.name, {
        args: ['rm', '/tmp/w/well'],
        env: {},
        tty: false,
        attachStdin: false,
      });
      for await (const _ of session.output);
      const isReplaced = async (): Promise<boolean> => {
        const now = await serving();
        return [ill, gone].every((old) =>
          now.some(({ name, id, health }) => name === old.name && id !== old.id && health !== 'unhealthy'),
        );
      };
      await waitFor(isReplaced, { timeoutMs: 60_000, what: 'both have successors of their names' });
      const shares = async (): Promise<readonly (readonly [string | undefined, number | undefined])[]> => {
        const { tcpRoutes } = await scene.traffic.observe();
        const { instances } = await scene.fleet.observe('beside');
        const nameAt = (address: string): string | undefined =>
          instances.find(({ addresses }) => Object.values(addresses).includes(address))?.name;
        return (tcpRoutes.get('beside/feed/9000') ?? []).map(
          ({ address, weight }) => [nameAt(address), weight] as const,
        );
      };
      const isShared = async (): Promise<boolean> => {
        const now = new Map(await shares());
        return now.get(gone.name) === 9_000 && now.get('beside-feed-r2-1') === 1_000;
      };
      await waitFor(isShared, { timeoutMs: 30_000, what: 'the successor has the share of its side' });
      const isBack = async (): Promise<boolean> => {
        const { lanes } = await scene.traffic.observe();
        const lane = lanes.find(({ instances }) => instances.some(({ name }) => name === ill.name));
        return lane?.instances.length === 2 && lane.instances.every(({ state }) => state === 'up');
      };
      await waitFor(isBack, { timeoutMs: 30_000, what: 'the successor of the ill one gets requests' });
      assert.ok(isWaiting(), 'while the canary goes on');
      const { lost, examples } = await load.stop();
      assert.equal(lost, 0, JSON.stringify(examples));

      scene.delivery.control({ project: 'beside', author: 'test', action: { kind: 'abort' } });
      await assert.rejects(rollout, /aborted by test/);
      const isAlone = async (): Promise<boolean> => {
        const now = await shares();
        return now.length === 1 && now[0]?.[0] === gone.name;
      };
      await waitFor(isAlone, { timeoutMs: 30_000, what: 'all of the flows go back' });
    });
  });
}
