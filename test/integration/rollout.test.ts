import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UserError } from '../../src/lib/errors.ts';
import { type DeliveryScene, projectOf, requestOf, sceneForEach } from '../support/delivery-scene.ts';
import { enginesUnderTest } from '../support/engines.ts';
import { freePort } from '../support/free-port.ts';
import { DATABASE, listens, output, SERVE, shop, starts, textAt, textOf, underLoad } from '../support/rollout-shop.ts';
import { waitFor } from '../support/wait.ts';

/** The delivery wing over real engines and a real HAProxy. */

for (const engine of await enginesUnderTest()) {
  describe(`delivery over ${engine.name}`, { skip: engine.skip, timeout: 540_000 }, () => {
    let scene: DeliveryScene;

    sceneForEach(engine, (opened) => {
      scene = opened;
    });

    it('loses no request by a deploy and by a rollback, and switches only when there is something to switch', async () => {
      const port = await freePort();
      const file = (version: string): string => shop({ name: 'tip', port, version, more: DATABASE('one') });
      const up = await scene.deploy(file('1'));
      assert.deepEqual([up.kind, up.result, up.release], ['up', 'switched', 1]);
      const { pid } = await scene.traffic.observe();
      await using load = await underLoad(port);
      assert.equal((await scene.deploy(file('2'))).release, 2);
      assert.equal(await textAt(port), 'version=2');
      assert.equal((await scene.deploy(file('2'))).result, 'unchanged');
      const back = await scene.rollback('tip');
      assert.deepEqual([back.release, back.previous], [1, 2]);
      assert.deepEqual(await stepKinds(scene, 'tip'), ['switch-routes', 'set-standing']);
      assert.equal(await textAt(port), 'version=1');
      const report = await load.stop();
      assert.equal(report.lost, 0, JSON.stringify(report.examples));
      assert.ok((report.versions['1'] ?? 0) > 0 && (report.versions['2'] ?? 0) > 0);
      assert.equal((await scene.traffic.observe()).pid, pid, 'the proxy was not reloaded');
      const ledger = await scene.delivery.ledger('tip', 2);
      assert.equal(ledger.totals.lost, 0);
      assert.ok(ledger.totals.requests > 0);
      assert.ok(ledger.steps.every(({ outcome, cause }) => outcome === 'done' && cause !== ''));
      assert.deepEqual(await starts(scene, 'tip'), ['one'], 'the database was carried over');
    });

    for (const [what, change, reason] of [
      ['never becomes healthy', { command: 'exec sleep 1000' }, /health/],
      [
        'crashes again and again',
        { command: 'echo oh no; sleep 0.2; exit 3' },
        /crashes again and again .*exit code 3|health/,
      ],
      ['cannot be started', { web: '    entrypoint: ["/no/such/program"]' }, /no such file/],
      ['names an image that is nowhere', {}, /image "?nowhere:1/],
    ] as const) {
      it(`keeps the old release when the new one ${what}`, async () => {
        const port = await freePort();
        await scene.deploy(shop({ name: 'bad', port, version: '1' }));
        const before = await scene.fleet.observe('bad');
        await using load = await underLoad(port);
        // Long enough for three restarts on a busy machine; the others are given up when it is over.
        const patience = what.startsWith('crashes') ? '30s' : '6s';
        const settings = `, health_timeout: ${patience}`;
        const broken = shop({ name: 'bad', port, version: '2', settings, ...change });
        const file = what.startsWith('names') ? broken.replace('image: busybox', 'image: nowhere:1') : broken;
        await assert.rejects(scene.deploy(file.replace('health_timeout: 15s, ', '')), (error) => {
          assert.ok(error instanceof UserError, String(error));
          assert.match(error.message, reason);
          assert.notEqual(error.fix, '');
          return true;
        });
        assert.equal((await load.stop()).lost, 0);
        assert.equal(await textAt(port), 'version=1');
        const after = await scene.fleet.observe('bad');
        assert.deepEqual(after.networks, before.networks);
        assert.deepEqual(
          after.instances.map(({ name }) => name),
          before.instances.map(({ name }) => name),
        );
      });
    }

    it('tells the last words of an instance that failed', async () => {
      const port = await freePort();
      const file = shop({ name: 'words', port, version: '1', command: 'echo cannot find my config; exit 4' });
      const error = await scene.deploy(file).catch((thrown: unknown) => thrown);
      assert.ok(error instanceof UserError);
      const { failure } = error.details['outcome'] as { failure: { logs: string[]; instance: string } };
      assert.ok(failure.logs.includes('cannot find my config'));
      assert.match(failure.instance, /^words-web-r1-[12]$/);
      assert.deepEqual((await scene.fleet.observe('words')).instances, []);
      assert.equal((await scene.delivery.releases('words'))[0]?.state, 'failed');
    });

    it('replaces a stateful service on its volume, says so first, and takes it back when the release fails', async () => {
      const port = await freePort();
      await scene.deploy(shop({ name: 'state', port, version: '1', more: DATABASE('one') }));
      const ill = shop({ name: 'state', port, version: '2', command: 'exit 1', more: DATABASE('bad') });
      await assert.rejects(scene.deploy(ill));
      const warning = scene.events.findIndex(({ type }) => type === 'warning');
      const planned = scene.events.findLastIndex(({ type }) => type === 'planned');
      assert.ok(warning !== -1 && warning < planned, 'said before it happens');
      assert.deepEqual(await starts(scene, 'state'), ['one', 'bad', 'one'], 'the old database runs again');
      await scene.deploy(shop({ name: 'state', port, version: '2', more: DATABASE('two') }));
      assert.deepEqual(await starts(scene, 'state'), ['one', 'bad', 'one', 'two']);
      const back = await scene.rollback('state');
      assert.equal(back.release, 1);
      assert.deepEqual(await starts(scene, 'state'), ['one', 'bad', 'one', 'two', 'one']);
      assert.equal(await textAt(port), 'version=1');
    });

    it('carries TCP past the proxy, and follows a stateful service that is replaced', async () => {
      const [port, tcp] = [await freePort(), await freePort()];
      const file = (name: string): string =>
        shop({
          name: 'raw',
          port,
          version: '1',
          more: DATABASE(name).replace(
            '\n    stop_grace',
            `\n    ports: [{target: 9000, published: "${tcp}", app_protocol: tcp}]\n    stop_grace`,
          ),
        });
      const text = async (): Promise<string> => await (await fetch(`http://127.0.0.1:${tcp}/starts`)).text();
      await scene.deploy(file('one'));
      assert.equal(await text(), 'one\n');
      await scene.deploy(file('two'));
      assert.equal(await text(), 'one\ntwo\n');
      assert.deepEqual(
        (await scene.delivery.ps('raw')).ports.map(({ protocol, published }) => [protocol, published]),
        [
          ['http', port],
          ['tcp', tcp],
        ],
      );
      await scene.rollback('raw');
      assert.equal(await text(), 'one\ntwo\none\n');
    });

    it('retires a release when its time is over, and goes back to it from its frozen image', async () => {
      const port = await freePort();
      const file = (version: string): string => shop({ name: 'cold', port, version, settings: ', keep: 0s' });
      await scene.deploy(file('1'));
      await scene.deploy(file('2'));
      await waitFor(async () => (await names(scene, 'cold')).every((name) => name.includes('-r2-')), {
        timeoutMs: 30_000,
        what: 'release 1 is retired',
      });
      await waitFor(async () => (await scene.fleet.observe('cold')).networks.length === 1, {
        timeoutMs: 10_000,
        what: 'its network is gone',
      });
      assert.equal((await scene.delivery.releases('cold'))[1]?.state, 'kept');
      await using load = await underLoad(port);
      assert.equal((await scene.rollback('cold')).release, 1);
      assert.equal(await textAt(port), 'version=1');
      assert.equal((await load.stop()).lost, 0);
    });

    it('takes away services and ports that are no longer in the file', async () => {
      const [port, other] = [await freePort(), await freePort()];
      const extra = `
  extra: {image: busybox, command: ["httpd", "-f", "-p", "80", "-h", "/etc"], ports: ["${other}:80"], stop_grace_period: 1s}
`;
      await scene.deploy(shop({ name: 'less', port, version: '1', more: extra }));
      assert.equal((await fetch(`http://127.0.0.1:${other}/passwd`)).status, 200);
      const outcome = await scene.deploy(shop({ name: 'less', port, version: '1' }));
      assert.deepEqual(
        outcome.ports.map(({ published }) => published),
        [port],
      );
      assert.equal(await listens(other), false);
      assert.equal((await scene.rollback('less')).release, 1);
      assert.equal((await fetch(`http://127.0.0.1:${other}/passwd`)).status, 200);
    });

    it('refuses a second rollout with who, when and where, and undoes one that is cancelled', async () => {
      const port = await freePort();
      await scene.deploy(shop({ name: 'busy', port, version: '1' }));
      const cancel = new AbortController();
      const slow = shop({ name: 'busy', port, version: '2', command: 'exec sleep 1000' });
      const running = scene.deploy(slow, {}, cancel.signal).catch((error: unknown) => error);
      await waitFor(() => scene.delivery.running('busy')?.step?.kind === 'wait-healthy', {
        timeoutMs: 20_000,
        what: 'the second release waits for health',
      });
      await assert.rejects(scene.deploy(slow), (error) => {
        assert.ok(error instanceof UserError);
        assert.equal(error.code, 'rollout-running');
        assert.match(error.message, /begun by test at .*wait until busy-web-r2-/);
        return true;
      });
      cancel.abort();
      const error = await running;
      assert.ok(error instanceof UserError && error.code === 'rollout-cancelled', String(error));
      assert.deepEqual(await names(scene, 'busy'), ['busy-web-r1-1', 'busy-web-r1-2']);
      assert.equal(await textAt(port), 'version=1');
    });

    it('runs jobs first, mounts configs and secrets, and hardens instances', async () => {
      const port = await freePort();
      const web = `
    user: "1000"
    depends_on: {setup: {condition: service_completed_successfully}}
    secrets: [{source: key, uid: "1000", mode: 0400}]
    configs: [{source: motd, target: /etc/motd}]
`;
      const more = `
  setup: {image: busybox, command: ["sh", "-c", "echo set up"], restart: "no"}
configs: {motd: {content: "hello"}}
secrets: {key: {environment: KEY}}
`;
      const environment = { KEY: 'very secret' };
      await scene.deploy(shop({ name: 'hard', port, version: '1', web, more }), { environment });
      const say = async (...args: string[]): Promise<string> => await output(scene, 'hard', args);
      assert.equal(await say('cat', '/run/secrets/key'), 'very secret');
      assert.equal(await say('cat', '/etc/motd'), 'hello');
      assert.match(await say('stat', '-c', '%a %u', '/run/secrets/key'), /^400 1000/);
      assert.match(await say('sh', '-c', 'touch /x 2>&1; true'), /Read-only/);
      assert.match(await say('grep', 'NoNewPrivs', '/proc/self/status'), /1$/);
      const frozen = JSON.stringify((await scene.delivery.releases('hard'))[0]);
      assert.ok(!frozen.includes('very secret'));
      const deployed = await scene.deploy(shop({ name: 'hard', port, version: '1', web, more }), {
        environment: { KEY: 'another' },
      });
      assert.equal(deployed.release, 2, 'another secret makes another release');
      assert.equal(await say('cat', '/run/secrets/key'), 'another');
      const lines = await Array.fromAsync(
        scene.delivery.logs({ project: 'hard', services: ['setup'], follow: false }, new AbortController().signal),
      );
      assert.ok(lines.some(({ text }) => text === 'set up'));
    });

    it('finds only its own release by name', async () => {
      const port = await freePort();
      const api = (version: string): string => `
  api: {image: busybox, command: ["sh", "-c", "mkdir /tmp/a; echo api=${version} > /tmp/a/v; exec httpd -f -p 80 -h /tmp/a"], stop_grace_period: 1s}
`;
      const web = '    depends_on: [api]\n';
      await scene.deploy(shop({ name: 'own', port, version: '1', web, more: api('1') }));
      await scene.deploy(shop({ name: 'own', port, version: '1', web, more: api('2') }));
      const asked = await Promise.all(
        ['own-web-r1-1', 'own-web-r2-1'].map(async (instance) => {
          const options = { args: ['wget', '-q', '-O', '-', 'http://api/v'], env: {}, tty: false, attachStdin: false };
          return await textOf((await scene.fleet.exec(instance, options)).output);
        }),
      );
      assert.deepEqual(asked, ['api=1', 'api=2'], 'web depends on api: both are new, each finds its own');
    });

    it('follows an instance that is restarted at another address', async () => {
      const port = await freePort();
      await scene.deploy(shop({ name: 'again', port, version: '1', web: '    restart: always\n' }));
      const before = (await scene.traffic.observe()).lanes[0]?.instances.map(({ address }) => address);
      const all = ['again-web-r1-1', 'again-web-r1-2'];
      for (const name of all) await scene.fleet.stopInstance(name);
      for (const name of all.toReversed()) await scene.fleet.startInstance(name);
      await waitFor(async () => (await textAt(port).catch(() => '')) === 'version=1', {
        timeoutMs: 20_000,
        what: 'it serves again',
      });
      assert.ok(before !== undefined);
    });

    it('follows the logs of instances that come later too', async () => {
      const port = await freePort();
      const file = (version: string): string =>
        shop({ name: 'logs', port, version, command: `echo hello $V; ${SERVE}` });
      await scene.deploy(file('1'));
      const stop = new AbortController();
      const lines: string[] = [];
      const query = { project: 'logs', services: [], follow: true };
      const reading = (async () => {
        for await (const { text, instance } of scene.delivery.logs(query, stop.signal))
          lines.push(`${instance} ${text}`);
      })();
      await scene.deploy(file('2'));
      await waitFor(() => lines.includes('logs-web-r2-2 hello 2'), { timeoutMs: 10_000, what: 'a line of release 2' });
      stop.abort();
      await reading;
      assert.equal(lines.filter((line) => line === 'logs-web-r1-1 hello 1').length, 1);
      assert.equal(lines.filter((line) => line === 'logs-web-r2-1 hello 2').length, 1);
    });

    it('ends with down: nothing is left', async () => {
      const port = await freePort();
      await scene.deploy(shop({ name: 'gone', port, version: '1', more: DATABASE('one') }));
      const never = new AbortController().signal;
      const outcome = await scene.delivery.down(
        { project: 'gone', volumes: true, author: 'test' },
        { onProgress: () => {}, signal: never },
      );
      assert.equal(outcome.result, 'removed');
      assert.deepEqual(await scene.fleet.observe('gone'), { instances: [], networks: [], volumes: [] });
      assert.equal(await listens(port), false);
    });

    it('says what it would do, and does nothing', async () => {
      const port = await freePort();
      const plan = await scene.delivery.plan(
        requestOf(projectOf(shop({ name: 'dry', port, version: '1' }), scene.root)),
      );
      assert.ok(plan.steps.some(({ title }) => title === 'start dry-web-r1-1'));
      assert.deepEqual(await names(scene, 'dry'), []);
      assert.deepEqual(scene.delivery.projects(), []);
    });
  });
}

async function names(scene: DeliveryScene, project: string): Promise<readonly string[]> {
  return (await scene.fleet.observe(project)).instances.map(({ name }) => name);
}

async function stepKinds(scene: DeliveryScene, project: string): Promise<readonly string[]> {
  return (await scene.delivery.ledger(project)).steps.map(({ kind }) => kind);
}
