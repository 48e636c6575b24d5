import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { startLoad } from '../support/load.ts';
import { freePort } from '../support/free-port.ts';
import { openMachine, type EngineKind, type Machine } from '../support/machine.ts';
import { waitFor } from '../support/wait.ts';
import { webProject } from '../support/web-project.ts';

interface Outcome {
  readonly result: string;
  readonly release: number;
}

interface View {
  readonly release?: number;
  readonly rollout?: object;
  readonly instances: readonly {
    readonly id: string;
    readonly service: string;
    readonly role: string;
    readonly release: number;
    readonly state: string;
  }[];
}

for (const engine of ['embedded', 'dockerd'] satisfies readonly EngineKind[]) {
  describe(`the main job on the engine ${engine}`, { timeout: 600_000 }, () => {
    it('deploys, refuses a broken version and rolls back without losing a request', async () => {
      await using machine = await openMachine({ engine });
      const port = await freePort();
      const url = `http://127.0.0.1:${port}/`;

      machine.write(webProject({ port, version: 'one' }));
      assert.deepEqual(await outcomeOf(machine, ['up']), { result: 'switched', release: 1 });
      assert.equal(await textOf(url), 'version=one\n');
      assert.equal((await startsOf(machine)).length, 1);

      await using load = await startLoad({
        url,
        connections: 4,
        ratePerSecond: 200,
        newConnectionShare: 0.5,
        version: { from: 'body', pattern: 'version=(\\w+)' },
      });

      machine.write(webProject({ port, version: 'two' }));
      assert.deepEqual(await outcomeOf(machine, ['deploy']), { result: 'switched', release: 2 });
      assert.equal(await textOf(url), 'version=two\n');

      machine.write(webProject({ port, version: 'three', isHealthy: false }));
      const broken = await machine.run(['deploy']);
      assert.equal(broken.exitCode, 1, broken.stderr);
      assert.match(broken.stderr, /healthy/);
      assert.equal(await textOf(url), 'version=two\n');

      assert.deepEqual(await outcomeOf(machine, ['rollback']), { result: 'switched', release: 1 });
      assert.equal(await textOf(url), 'version=one\n');

      const report = await load.stop();
      assert.equal(report.lost, 0, JSON.stringify(report.examples));
      assert.ok(report.requests > 500, `only ${report.requests} requests`);
      assert.deepEqual(Object.keys(report.versions).sort(), ['one', 'two']);

      assert.equal((await startsOf(machine)).length, 1, 'the database was carried over, never started again');
      await assertDataCommands(machine);
      await machine.must(['down']);
      await assert.rejects(fetch(url, { signal: AbortSignal.timeout(2_000) }));
    });
  });
}

describe('the embedded engine', { timeout: 540_000 }, () => {
  it('keeps data across down and up, and starts a cold release again on rollback', async () => {
    await using machine = await openMachine();
    const port = await freePort();
    machine.write(webProject({ port, version: 'one' }));
    await machine.must(['up']);
    await machine.must(['down']);
    machine.write(webProject({ port, version: 'two' }));
    await machine.must(['up']);
    assert.equal((await startsOf(machine)).length, 2, 'the volume outlived down');
    assert.equal(await textOf(`http://127.0.0.1:${port}/`), 'version=two\n');
    await machine.must(['rollback', '1']);
    assert.equal(await textOf(`http://127.0.0.1:${port}/`), 'version=one\n');
  });

  it('does nothing when nothing changed', async () => {
    await using machine = await openMachine();
    const port = await freePort();
    machine.write(webProject({ port, version: 'one' }));
    await machine.must(['up']);
    const before = (await machine.json<View>(['ps'])).instances.map(({ id }) => id);
    assert.deepEqual(await outcomeOf(machine, ['deploy']), { result: 'unchanged', release: 1 });
    assert.deepEqual(
      (await machine.json<View>(['ps'])).instances.map(({ id }) => id),
      before,
    );
  });

  it('leaves containers and traffic alone when the daemon stops, and adopts them when it starts', async () => {
    await using machine = await openMachine();
    const port = await freePort();
    const url = `http://127.0.0.1:${port}/`;
    machine.write(webProject({ port, version: 'one' }));
    await machine.must(['up']);
    const before = await machine.json<View>(['ps']);
    await machine.must(['daemon', 'stop']);
    assert.equal(await textOf(url), 'version=one\n');
    const after = await machine.json<View>(['ps']); // starts the daemon again
    assert.deepEqual(idsOf(after), idsOf(before));
    assert.equal(await textOf(url), 'version=one\n');
  });

  it('leaves nothing behind after purge', async () => {
    const machine = await openMachine();
    const port = await freePort();
    machine.write(webProject({ port, version: 'one' }));
    await machine.must(['up']);
    await machine[Symbol.asyncDispose]();
    assert.equal(existsSync(machine.root), false);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2_000) }));
  });
});

async function outcomeOf(machine: Machine, words: readonly string[]): Promise<Outcome> {
  const { result, release } = await machine.json<Outcome>(words);
  return { result, release };
}

async function textOf(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5_000) });
  return response.text();
}

/** One line for each time that the database was started on this volume. */
async function startsOf(machine: Machine): Promise<readonly string[]> {
  const { stdout } = await machine.must(['exec', 'db', 'cat', '/data/starts']);
  return stdout.trim().split('\n');
}

function idsOf(view: View): readonly string[] {
  return view.instances.map(({ id }) => id).sort();
}

async function assertDataCommands(machine: Machine): Promise<void> {
  const view = await machine.json<View>(['ps']);
  assert.equal(view.release, 1);
  const serving = view.instances.filter(({ role }) => role === 'current').map(({ service }) => service);
  assert.deepEqual(serving.sort(), ['db', 'web', 'web', 'worker']);
  assert.match((await machine.must(['logs', 'worker'])).stdout, /worker one ready/);
  const failing = await machine.run(['exec', 'worker', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
  assert.deepEqual([failing.exitCode, failing.stdout, failing.stderr], [7, 'out', 'err']);
  const ledgers = await machine.json<readonly { totals: { lost: number }; result: string }[]>(['ledger', '--all']);
  assert.ok(ledgers.length >= 3);
  assert.equal(
    ledgers.reduce((sum, { totals }) => sum + totals.lost, 0),
    0,
  );
  const releases = await machine.json<readonly { number: number }[]>(['releases']);
  assert.ok(releases.some(({ number }) => number === 2));
  await waitFor(async () => (await machine.json<View>(['ps'])).rollout === undefined, {
    timeoutMs: 20_000,
    what: 'no rollout is under way',
  });
}
