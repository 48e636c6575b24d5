import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { scopeOf } from '../../src/lib/scope.ts';
import { createClient } from '../../src/server/client/index.ts';
import { isAnswering } from '../../src/server/client/transport.ts';
import type { Machine } from './machine.ts';
import { waitFor } from './wait.ts';

/** Who is ended by SIGKILL: `conmon` and `instance` are those of the first web server that serves. */
export type Victim = 'daemon' | 'haproxy' | 'conmon' | 'instance';

/** What `bascule ps` and `bascule version` show: asked without a process, which takes longer than most of what is waited for. */
function client(machine: Machine) {
  return createClient(socketOf(machine));
}

function socketOf({ root }: Machine): string {
  return join(scopeOf(root).runDirectory, 'api.sock');
}

async function viewOf(machine: Machine) {
  return await client(machine).ps('scene');
}

/**
 * Gives the title of the step at whose start the victim was killed; undefined where the rollout had no such step. The
 * news of a step comes after it has begun: at the last one the rollout may end before the signal arrives.
 */
export async function deployAndKillAt(machine: Machine, index: number, victim: Victim): Promise<string | undefined> {
  const pid = await pidOf(machine, victim);
  let title: string | undefined;
  let started = 0;
  let isFinished = false;
  const result = await machine.run(['deploy', '--json'], {
    onLine: (line) => {
      const event = JSON.parse(line) as { type?: string; step?: { title: string } };
      if (event.type === 'finished') isFinished = true;
      if (event.type !== 'step-started' || started++ !== index) return;
      title = event.step?.title;
      process.kill(pid, 'SIGKILL');
    },
  });
  if (victim === 'daemon') assert.equal(result.exitCode === 0, isFinished, result.stderr);
  return title;
}

async function pidOf(machine: Machine, victim: Victim): Promise<number> {
  const { pid, engineSocket } = await client(machine).version();
  if (victim === 'daemon') return pid;
  if (victim === 'haproxy') {
    const file = join(scopeOf(machine.root).runDirectory, 'haproxy', 'haproxy.pid');
    return Number(readFileSync(file, 'utf8').trim());
  }
  const { instances } = await viewOf(machine);
  const serving = instances.find(({ service, role }) => service === 'web' && role === 'current');
  const init = await initPid(engineSocket, serving?.id ?? '');
  return victim === 'instance' ? init : parentOf(init);
}

function initPid(socketPath: string, container: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, path: `/containers/${container}/json` }, (response) => {
      let text = '';
      response.on('data', (part: Buffer) => (text += part.toString('utf8')));
      response.on('end', () => resolve((JSON.parse(text) as { State: { Pid: number } }).State.Pid));
    });
    asking.on('error', reject);
    asking.end();
  });
}

/** conmon is the parent of the container's first process. */
function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** The rollout has come to its end, and what was killed has been replaced: instances, and whoever answers at the port. */
export async function settled(machine: Machine, expected: readonly string[], port: number): Promise<void> {
  if (!(await isAnswering(socketOf(machine)))) await machine.must(['daemon', 'start']);
  await waitFor(
    async () => {
      const view = await viewOf(machine);
      const well = view.instances.filter(
        ({ role, state, health }) =>
          role === 'current' && state === 'running' && health !== 'starting' && health !== 'unhealthy',
      );
      return view.rollout === undefined && well.length === expected.length && (await answers(port));
    },
    { timeoutMs: 60_000, intervalMs: 50, what: 'the rollout has ended, and everything is well again' },
  );
}

/** All stateless services are on the release that serves, and that is what answers. */
export async function assertWhole(
  machine: Machine,
  o: { readonly port: number; readonly services: readonly string[]; readonly stateful: string; readonly when: string },
): Promise<void> {
  const { when } = o;
  const view = await viewOf(machine);
  const current = view.instances.filter(({ role }) => role === 'current');
  assert.deepEqual(current.map(({ service }) => service).sort(), o.services, when);
  const stateless = current.filter(({ service }) => service !== o.stateful);
  assert.deepEqual([...new Set(stateless.map(({ release }) => release))], [view.release], when);
  const texts = await Promise.all(
    Array.from({ length: 6 }, async () =>
      (await fetch(`http://127.0.0.1:${o.port}/`, { signal: AbortSignal.timeout(5_000) })).text(),
    ),
  );
  assert.equal(new Set(texts).size, 1, `${when}: ${texts.join('')}`);
}

async function answers(port: number): Promise<boolean> {
  return await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(5_000) }).then(
    async (response) => (await response.arrayBuffer()).byteLength > 0 && response.ok,
    () => false,
  );
}
