import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { type DeliveryScene, openScene, sceneForEach } from '../support/delivery-scene.ts';
import { enginesUnderTest } from '../support/engines.ts';
import { freePort } from '../support/free-port.ts';
import { textAt } from '../support/rollout-shop.ts';
import { waitFor } from '../support/wait.ts';

/** Old releases leave beside what people do: nobody waits for them, and they never pile up. */

/** Told to end it ends at once, unless it is told to stay; then it has far more time than any test. */
const SERVER = `mkdir -p /tmp/w && echo version=$V > /tmp/w/index.html && httpd -p 8000 -h /tmp/w
trap '[ -f /tmp/stay ] || exit 0' TERM
while [ ! -f /tmp/end ]; do sleep 0.05; done`;

const file = (o: { readonly name: string; readonly port: number; readonly version: string }): string => `
name: ${o.name}
x-bascule: {health_timeout: 60s, drain: 1s}
services:
  web:
    image: busybox
    command: ["sh", "-c", ${JSON.stringify(SERVER.replaceAll('$V', o.version))}]
    ports: ["${o.port}:8000"]
    stop_grace_period: 600s
    healthcheck: {test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/"], interval: 300ms, retries: 20}
`;

const engines = await enginesUnderTest();

for (const engine of engines) {
  describe(`retiring over ${engine.name}`, { skip: engine.skip, timeout: 540_000 }, () => {
    let scene: DeliveryScene;

    sceneForEach(engine, (opened) => {
      scene = opened;
    });

    const namesOf = async (project: string, of = scene): Promise<readonly string[]> =>
      (await of.fleet.observe(project)).instances.map(({ name }) => name);
    const warmOf = async (project: string): Promise<readonly number[]> =>
      (await scene.delivery.releases(project)).filter(({ state }) => state === 'warm').map(({ number }) => number);
    const tell = async (instance: string, word: 'stay' | 'end', of = scene): Promise<void> => {
      const args = ['touch', `/tmp/${word}`];
      const session = await of.fleet.exec(instance, { args, env: {}, tty: false, attachStdin: false });
      for await (const _ of session.output);
    };
    const gone = async (project: string, release: number, of = scene): Promise<void> => {
      const isOf = (name: string): boolean => name.includes(`-r${release}`);
      await waitFor(
        async () => {
          const { instances, networks } = await of.fleet.observe(project);
          return ![...instances, ...networks].some(({ name }) => isOf(name));
        },
        { timeoutMs: 60_000, what: `nothing is left of release ${release}` },
      );
    };

    it('lets people deploy and roll back while instances of an old release are still stopping', async () => {
      const o = { name: 'slow', port: await freePort() };
      await scene.deploy(file({ ...o, version: '1' }));
      const [first = ''] = await namesOf('slow');
      await tell(first, 'stay');
      await scene.deploy(file({ ...o, version: '2' }));
      await scene.deploy(file({ ...o, version: '3' }));
      await waitFor(async () => !(await warmOf('slow')).includes(1), { timeoutMs: 60_000, what: 'release 1 leaves' });
      assert.equal((await scene.rollback('slow')).release, 2);
      assert.equal((await scene.deploy(file({ ...o, version: '4' }))).release, 4);
      assert.equal(await textAt(o.port), 'version=4');
      assert.ok((await namesOf('slow')).includes(first), 'nobody waited for it, and nobody killed it');

      // The release that leaves is the one exception: it is waited for, then started anew.
      const back = scene.rollback('slow', 1);
      await waitFor(() => scene.delivery.running('slow')?.kind === 'rollback', { timeoutMs: 60_000, what: 'it waits' });
      await tell(first, 'end');
      assert.equal((await back).release, 1);
      assert.equal(await textAt(o.port), 'version=1');
      const retired = await waitFor(
        async () =>
          (await scene.delivery.ledgers('slow')).findLast(({ kind, endedAt }) => kind === 'retire' && endedAt),
        { timeoutMs: 60_000, what: 'the retirement has ended' },
      );
      assert.deepEqual(
        retired.steps.map(({ kind, outcome }) => `${kind} ${outcome}`),
        ['set-standing', 'remove-from-lane', 'stop-instance', 'remove-instance', 'remove-network'].map(
          (kind) => `${kind} done`,
        ),
      );
    });

    it('does not keep a daemon from ending; the next one goes on with it', async () => {
      const o = { name: 'ends', port: await freePort() };
      const { socketPath } = scene;
      const root = mkdtempSync(join(tmpdir(), 'bascule-retire-'));
      const one = await openScene({ socketPath, root });
      await one.deploy(file({ ...o, version: '1' }));
      const [first = ''] = await namesOf('ends', one);
      await tell(first, 'stay', one);
      for (const version of ['2', '3']) await one.deploy(file({ ...o, version }));
      const isStopping = async (): Promise<boolean> =>
        (await one.delivery.ledgers('ends')).some(({ steps }) =>
          steps.some(({ kind, outcome }) => kind === 'stop-instance' && outcome === 'running'),
        );
      await waitFor(isStopping, { timeoutMs: 60_000, what: 'it is told to stop' });
      await one.delivery.close();
      await one.traffic.close();

      await using next = await openScene({ socketPath, root });
      await next.delivery.resume();
      assert.equal((await next.deploy(file({ ...o, version: '4' }))).release, 4);
      assert.ok((await namesOf('ends', next)).includes(first), 'it is still stopping');
      await tell(first, 'end', next);
      await gone('ends', 1, next);
    });

    if (engine !== engines[0]) return; // what follows is the same over any
    it('keeps up with deployments that follow each other without a pause', async () => {
      const o = { name: 'rush', port: await freePort() };
      const most: number[] = [];
      for (let version = 1; version <= 7; version++) {
        await scene.deploy(file({ ...o, version: String(version) }));
        most.push((await warmOf('rush')).length);
      }
      assert.ok(Math.max(...most) <= 4, `warm releases behind each deployment: ${most.join(', ')}`);
      await gone('rush', 1);
    });
  });
}
