import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { RolloutOutcome } from '../../src/delivery/rollout/index.ts';
import { UserError } from '../../src/lib/errors.ts';
import { type DeliveryScene, openScene } from '../support/delivery-scene.ts';
import { enginesUnderTest } from '../support/engines.ts';
import { output } from '../support/rollout-shop.ts';
import { waitFor } from '../support/wait.ts';

/**
 * A queue of files: an item is claimed by a rename, done by another one. A worker dies at once when it is stopped: what
 * it has claimed is lost, unless its hook has let it finish.
 */
const WORKER = `
mkdir -p /q/in /q/done /q/claimed/$HOSTNAME
while :; do
  if [ -e /tmp/leaving ]; then touch /tmp/idle; sleep 0.05; continue; fi
  item=$(ls /q/in | head -n 1)
  if [ -z "$item" ]; then sleep 0.05; continue; fi
  mv "/q/in/$item" "/q/claimed/$HOSTNAME/$item" 2>/dev/null || continue
  sleep 0.2
  mv "/q/claimed/$HOSTNAME/$item" "/q/done/$item"
done`;
const ITEMS = 3_000;
const LEAVE = 'touch /tmp/leaving; until [ -e /tmp/idle ]; do sleep 0.05; done';
const ENTER = 'rm -f /tmp/leaving /tmp/idle';

const text = (script: string): string => JSON.stringify(script.replaceAll('$', '$$$$'));

function file(version: number, more: { readonly leave?: string; readonly enter?: string } = {}): string {
  return `
name: queue
x-bascule: {health_timeout: 15s, keep: 0s, drain: 1s}
services:
  worker:
    image: busybox
    command: ["sh", "-c", ${text(WORKER)}]
    environment: {VERSION: "${version}"}
    stop_signal: SIGKILL
    stop_grace_period: 5s
    volumes: ["queue:/q"]
    deploy: {replicas: 2}
    post_start: [{command: ["sh", "-c", ${text(more.enter ?? ENTER)}]}]
    pre_stop: [{command: ["sh", "-c", ${text(more.leave ?? LEAVE)}]}]
    x-bascule: {stateful: false}
  clerk:
    image: busybox
    command: ["sleep", "100000"]
    stop_grace_period: 0s
    volumes: ["queue:/q"]
    x-bascule: {stateful: true}
volumes: {queue: {}}
`;
}

for (const engine of await enginesUnderTest()) {
  describe(`lifecycle hooks over ${engine.name}`, { skip: engine.skip, timeout: 540_000 }, () => {
    let running: Awaited<ReturnType<typeof engine.open>>;
    before(async () => {
      running = await engine.open();
    });
    after(async () => {
      await running[Symbol.asyncDispose]();
    });

    it('let a worker leave its queue: no item is lost over 5 deploys, an undone one, and traffic out', async () => {
      await using scene = await openScene(running);
      await scene.deploy(file(1));
      await output(scene, 'queue', ['sh', '-c', `for i in $(seq 1 ${ITEMS}); do echo $i > /q/in/$i; done`], 'clerk');
      for (const version of [2, 3, 4, 5, 6]) await scene.deploy(file(version));
      await assert.rejects(scene.deploy(file(7, { enter: 'echo not today; exit 4' })));
      await goneBut(scene, 6);
      await scene.delivery.setInstanceTraffic({
        project: 'queue',
        instance: 'queue-worker-r6-1',
        direction: 'out',
        author: 'test',
      });
      assert.deepEqual(await claimed(scene, 1), [], 'it has nothing in its hands');
      assert.ok((await count(scene, 'in')) > 0, 'there was always something to do');
      await scene.delivery.setInstanceTraffic({
        project: 'queue',
        instance: 'queue-worker-r6-1',
        direction: 'in',
        author: 'test',
      });
      await waitFor(async () => (await claimed(scene, 1)).length > 0, { timeoutMs: 10_000, what: 'it works again' });
      await output(scene, 'queue', ['sh', '-c', 'mv /q/in /q/rest; mkdir /q/in'], 'clerk');
      const inHands = async (): Promise<string> =>
        await output(scene, 'queue', ['find', '/q/claimed', '-type', 'f'], 'clerk');
      await waitFor(async () => (await inHands()) === '', { timeoutMs: 10_000, what: 'every claimed item is done' });
      const done = await count(scene, 'done');
      assert.ok(done > 100, `${done} items`);
      assert.equal(done + (await count(scene, 'rest')), ITEMS);
    });

    it('that fail after the start undo the rollout; before the stop they are said, and it goes on', async () => {
      await using scene = await openScene(running);
      await scene.deploy(file(1, { leave: 'echo cannot; exit 7' }));
      const error = await scene.deploy(file(2, { enter: 'echo not ready; exit 4' })).then(
        () => assert.fail(),
        (cause: unknown) => cause,
      );
      assert.ok(error instanceof UserError);
      const { failure } = error.details['outcome'] as RolloutOutcome;
      assert.equal(failure?.code, 'hook-failed');
      assert.match(failure?.reason ?? '', /post_start hook `sh -c echo not ready; exit 4` ended with exit code 4/);
      assert.deepEqual(failure?.logs, ['not ready']);
      await goneBut(scene, 1);
      await scene.delivery.down(
        { project: 'queue', volumes: false, author: 'test' },
        { onProgress: (event) => void scene.events.push(event), signal: new AbortController().signal },
      );
      const said = scene.events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
      assert.equal(
        said.filter((message) => /pre_stop hook .* exit code 7; it is stopped all the same/.test(message)).length,
        2,
      );
    });

    it('have a bounded time', async () => {
      await using scene = await openScene(running);
      await scene.deploy(file(1, { leave: 'sleep 1000' }));
      const started = performance.now();
      await scene.delivery.down(
        { project: 'queue', volumes: true, author: 'test' },
        { onProgress: (event) => void scene.events.push(event), signal: new AbortController().signal },
      );
      const took = performance.now() - started;
      assert.ok(took > 4_500 && took < 20_000, `${took} ms`);
      assert.ok(
        scene.events.some((event) => event.type === 'warning' && event.message.includes('has not ended after 5.0 s')),
      );
    });
  });
}

async function count(scene: DeliveryScene, folder: string): Promise<number> {
  return Number(await output(scene, 'queue', ['sh', '-c', `ls /q/${folder} | wc -l`], 'clerk'));
}

async function claimed(scene: DeliveryScene, index: number): Promise<readonly string[]> {
  const session = await scene.delivery.exec({
    project: 'queue',
    service: 'worker',
    index,
    args: ['sh', '-c', 'ls /q/claimed/$HOSTNAME'],
    tty: false,
    attachStdin: false,
  });
  let found = '';
  for await (const { data } of session.output) found += data.toString('utf8');
  return found.split('\n').filter((line) => line !== '');
}

/** Until only instances of one release are left. */
async function goneBut(scene: DeliveryScene, release: number): Promise<void> {
  await waitFor(
    async () =>
      (await scene.delivery.ps('queue')).instances.every(
        (each) => each.service === 'clerk' || each.release === release,
      ),
    { timeoutMs: 30_000, what: `only release ${release} is left` },
  );
}
