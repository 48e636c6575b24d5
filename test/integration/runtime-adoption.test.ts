import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { ContainerSpec } from '../../src/engine/runtime/index.ts';
import { openDatabase } from '../../src/lib/database.ts';
import { run } from '../../src/lib/process.ts';
import { scopeOf } from '../../src/lib/scope.ts';
import { runtimeStatesIn } from '../support/runtime-states.ts';
import { logText, openRuntimeLab, type RuntimeLab } from '../support/runtime-lab.ts';
import { waitFor } from '../support/wait.ts';

const skip = process.getuid?.() === 0 ? false : 'needs root';
const OWNER = join(import.meta.dirname, '../support/runtime-owner.ts');

/** A process that owns the root, to be killed. */
interface Owner {
  start(script: string, more?: Partial<ContainerSpec>): Promise<string>;
  kill(): Promise<void>;
}

describe('runtime after a SIGKILL of its process', { skip }, () => {
  let root: string;
  let owner: Owner;
  let lab: RuntimeLab | undefined;
  beforeEach(async () => {
    root = await mkdtemp(join(tmpdir(), 'bascule-adopt-'));
    owner = await openOwner(root);
  });
  afterEach(async () => {
    await owner.kill();
    lab ??= await openRuntimeLab(root);
    await lab[Symbol.asyncDispose]();
    lab = undefined;
  });

  const reopen = async (): Promise<RuntimeLab> => {
    lab = await openRuntimeLab(root);
    return lab;
  };

  it('adopts what runs: state, log, exec, exit', async () => {
    const id = await owner.start('while [ ! -e /stop ]; do echo tick; sleep 0.05; done; exit 6');
    await owner.kill();
    const { runtime } = await reopen();
    const { state } = runtime.get(id);
    assert.equal(state.status, 'running');
    const follower = runtime.logs(id, { follow: true, stdout: true, stderr: true, tail: 1 })[Symbol.asyncIterator]();
    await follower.next();
    assert.equal(String((await follower.next()).value?.data), 'tick\n');
    await follower.return?.();
    const ended = runtime.wait(id, 'not-running');
    await (
      await runtime.startExec(runtime.createExec(id, { args: ['touch', '/stop'] }).id)
    ).exit;
    assert.equal((await ended).exitCode, 6);
  });

  it('records an exit that nobody saw, with its code and log, and removes what wanted that', async () => {
    const id = await owner.start('sleep 0.5; echo last words; exit 8');
    const shortLived = await owner.start('sleep 0.5', { autoRemove: true });
    await owner.kill();
    const exits = join(root, 'engine/exits');
    await waitFor(() => existsSync(join(exits, id)) && existsSync(join(exits, shortLived)), {
      timeoutMs: 5_000,
      what: 'exit files',
    });
    const { runtime, runDirectory } = await reopen();
    assert.equal(runtime.get(id).state.status, 'exited');
    assert.equal(runtime.get(id).state.exitCode, 8);
    assert.equal(await logText(runtime, id), 'last words\n');
    assert.equal(runtime.find(shortLived), undefined);
    assert.equal(existsSync(join(runDirectory, 'containers', id)), false);
    const mounts = await readFile('/proc/mounts', 'utf8');
    assert.equal(mounts.includes(runDirectory), false);
  });

  it('applies the restart policy to what ended meanwhile', async () => {
    const id = await owner.start('sleep 0.3', { restartPolicy: { name: 'always', maximumRetryCount: 0 } });
    await owner.kill();
    await waitFor(() => existsSync(join(root, 'engine/exits', id)), { timeoutMs: 5_000, what: 'exit file' });
    const { runtime } = await reopen();
    await waitFor(() => runtime.get(id).state.restartCount >= 1 && runtime.get(id).state.pid > 0, {
      timeoutMs: 5_000,
      what: 'restarted',
    });
  });

  it('takes up a start that was not yet on record', async () => {
    const id = await owner.start('sleep 1000');
    await owner.kill();
    const database = openDatabase(join(root, 'engine/engine.db'));
    const created = {
      status: 'created',
      exitCode: 0,
      oomKilled: false,
      error: '',
      restartCount: 0,
      lastDelayMs: 0,
      stoppedByUser: false,
    };
    database.prepare('UPDATE containers SET state = ? WHERE id = ?').run(JSON.stringify(created), id);
    database.close();
    const { runtime } = await reopen();
    assert.equal(runtime.get(id).state.status, 'running');
    await runtime.stop(id, { timeoutSeconds: 0 });
    assert.equal(runtime.get(id).state.exitCode, 137);
  });

  it('removes what is on no record: mounts, states, control groups, folders', async () => {
    const id = await owner.start('sleep 1000');
    await owner.kill();
    const database = openDatabase(join(root, 'engine/engine.db'));
    database.exec('DELETE FROM containers');
    database.close();
    const { runtime, runDirectory } = await reopen();
    assert.deepEqual(runtime.list(), []);
    const { stdout } = await run(['runc', '--root', join(runDirectory, 'oci'), 'list', '--quiet']);
    assert.equal(stdout, '');
    assert.equal((await readFile('/proc/mounts', 'utf8')).includes(runDirectory), false);
    assert.equal(existsSync(join(root, 'engine/containers', id)), false);
  });

  it('comes to one truth wherever in a start it was killed', { timeout: 540_000 }, async () => {
    for (const afterMs of [5, 15, 25, 35, 45, 60, 80, 110]) {
      owner.start('sleep 1000').catch(() => {}); // it is killed while it starts
      await delay(afterMs);
      await owner.kill();
      const opened = await reopen();
      const running = opened.runtime.list().filter(({ state }) => state.status === 'running');
      assert.deepEqual(runtimeStatesIn(opened.runDirectory), running.map(({ id }) => id).sort());
      const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n');
      const roots = mounts.filter((line) => line.includes(`${opened.runDirectory}/containers/`));
      assert.equal(roots.length, running.length, `killed after ${afterMs} ms`);
      for (const { id } of opened.runtime.list()) {
        await opened.runtime.remove(id, { force: true, removeVolumes: true });
      }
      await opened.close();
      lab = undefined;
      owner = await openOwner(root);
    }
  });

  it('goes on with containers of another OCI runtime than the one that it would take now', async () => {
    const ids = [await owner.start('sleep 1000', { runtime: 'runc' }), await owner.start('sleep 1000')];
    await owner.kill();
    const { runtime } = await reopen();
    for (const id of ids) {
      const exec = runtime.createExec(id, { args: ['sh', '-c', 'exit 7'] });
      const { exit, output } = await runtime.startExec(exec.id);
      for await (const _ of output) continue;
      assert.equal(await exit, 7);
      await runtime.pause(id);
      await runtime.unpause(id);
      await runtime.stop(id, { timeoutSeconds: 0 });
      await runtime.remove(id, { force: false, removeVolumes: true });
    }
  });

  it('after a reboot calls everything ended, and starts what its policy wants', async () => {
    const always = await owner.start('sleep 1000', { restartPolicy: { name: 'always', maximumRetryCount: 0 } });
    const never = await owner.start('sleep 1000');
    await owner.kill();
    await powerCut(root, [always, never]);
    const { runtime } = await reopen();
    assert.equal(runtime.get(never).state.status, 'exited');
    assert.equal(runtime.get(never).state.exitCode, 255);
    await waitFor(() => runtime.get(always).state.pid > 0, { timeoutMs: 5_000, what: 'started again' });
  });
});

/** Everything in memory is gone: processes, mounts, the run directory. Exit files are not written. */
async function powerCut(root: string, ids: readonly string[]): Promise<void> {
  const { runDirectory } = scopeOf(root);
  for (const id of ids) {
    const bundle = join(runDirectory, 'containers', id);
    process.kill(Number(await readFile(join(bundle, 'conmon.pid'), 'utf8')), 'SIGKILL');
    process.kill(Number(await readFile(join(bundle, 'pid'), 'utf8')), 'SIGKILL');
    await run(['umount', '--lazy', join(bundle, 'rootfs')]);
  }
  await run(['sh', '-c', `umount -l ${runDirectory}/netns/* 2>/dev/null; true`]);
  await rm(runDirectory, { recursive: true, force: true });
}

async function openOwner(root: string): Promise<Owner> {
  const child = spawn(process.execPath, [OWNER, root], { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout });
  await nextLine(lines, child);
  return {
    start: async (script, more = {}) => {
      const answer = nextLine(lines, child);
      child.stdin.write(`${JSON.stringify({ script, more })}\n`);
      return answer;
    },
    kill: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

async function nextLine(lines: Interface, child: ChildProcess): Promise<string> {
  const ended = once(child, 'exit').then(() => Promise.reject(new Error('the owner ended')));
  ended.catch(() => {}); // it is killed in the end
  const [line] = (await Promise.race([once(lines, 'line'), ended])) as [string];
  return line;
}
