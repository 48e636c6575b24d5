import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startLoad } from '../support/load.ts';
import { freePort, openMachine, type Machine } from '../support/machine.ts';
import { waitFor } from '../support/wait.ts';
import { webProject } from '../support/web-project.ts';

interface View {
  readonly release?: number;
  readonly rollout?: object;
  readonly instances: readonly {
    readonly role: string;
    readonly release: number;
    readonly state: string;
    readonly service: string;
  }[];
}

describe('SIGKILL of the daemon at each step of the journal', { timeout: 900_000 }, () => {
  it('never leaves a mixed state and loses no request', async () => {
    await using machine = await openMachine();
    const port = await freePort();
    machine.write(webProject({ port, version: 'v0' }));
    await machine.must(['up']);
    await using load = await startLoad({
      url: `http://127.0.0.1:${port}/`,
      connections: 4,
      ratePerSecond: 100,
      newConnectionShare: 0.5,
      maxDurationMs: 900_000,
    });
    const killedAt: string[] = [];
    for (let step = 0; ; step++) {
      const version = `v${step + 1}`;
      machine.write(webProject({ port, version }));
      const title = await deployAndKillAt(machine, step);
      if (title === undefined) break; // the rollout has no such step: it ended by itself
      killedAt.push(title);
      await settled(machine);
      await assertWhole(machine, port, `killed at "${title}"`);
    }
    const report = await load.stop();
    assert.ok(killedAt.length >= 10, `only ${killedAt.length} steps: ${killedAt.join(', ')}`);
    assert.equal(report.lost, 0, JSON.stringify(report.examples));
    console.log(`killed at ${killedAt.length} steps, ${report.requests} requests, ${report.lost} lost`);
  });
});

/** Gives the title of the step at whose start the daemon was killed; undefined where the rollout ended before. */
async function deployAndKillAt(machine: Machine, index: number): Promise<string | undefined> {
  const pid = await machine.daemonPid();
  let title: string | undefined;
  let started = 0;
  const result = await machine.run(['deploy', '--json'], {
    onLine: (line) => {
      const event = JSON.parse(line) as { type?: string; step?: { title: string } };
      if (event.type !== 'step-started' || started++ !== index) return;
      title = event.step?.title;
      process.kill(pid, 'SIGKILL');
    },
  });
  assert.equal(result.exitCode === 0, title === undefined, result.stderr);
  return title;
}

async function settled(machine: Machine): Promise<void> {
  await machine.must(['daemon', 'start']);
  await waitFor(async () => (await machine.json<View>(['ps'])).rollout === undefined, {
    timeoutMs: 60_000,
    intervalMs: 100,
    what: 'the interrupted rollout has come to its end',
  });
}

/** All stateless services are on the release that serves, and that is what answers. */
async function assertWhole(machine: Machine, port: number, when: string): Promise<void> {
  const view = await machine.json<View>(['ps']);
  const current = view.instances.filter(({ role }) => role === 'current');
  assert.deepEqual(current.map(({ service }) => service).sort(), ['db', 'web', 'web', 'worker'], when);
  const stateless = current.filter(({ service }) => service !== 'db');
  assert.deepEqual([...new Set(stateless.map(({ release }) => release))], [view.release], when);
  const answers = await Promise.all(
    Array.from({ length: 6 }, async () =>
      (await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(5_000) })).text(),
    ),
  );
  assert.equal(new Set(answers).size, 1, `${when}: ${answers.join('')}`);
}
