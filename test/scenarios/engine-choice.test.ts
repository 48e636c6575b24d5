import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { CommandResult } from '../support/bascule.ts';
import { freePort } from '../support/free-port.ts';
import { importBusybox, openMachine, startDockerd, type Machine } from '../support/machine.ts';
import { webProject } from '../support/web-project.ts';

interface Status {
  readonly running: boolean;
  readonly engine?: string;
}

interface View {
  readonly release?: number;
  readonly instances: readonly { readonly name: string }[];
}

describe('the engine that the configuration names', { timeout: 600_000 }, () => {
  it('is driven by every daemon of the root, and kept while anything runs on it', async () => {
    const folder = mkdtempSync('/var/tmp/bascule-choice-');
    try {
      await using dockerd = await startDockerd(join(folder, 'dockerd'));
      importBusybox(dockerd.socket, folder);
      await using machine = await openMachine();
      const docker = `unix://${dockerd.socket}`;
      await machine.must(['daemon', 'config', 'set', 'engine', docker]);
      assert.equal(await engineOf(machine), 'embedded', 'a daemon that runs goes on as it is');
      await machine.must(['daemon', 'restart']);
      assert.equal(await engineOf(machine), docker);

      machine.write(webProject({ port: await freePort(), version: 'one' }));
      await machine.must(['up']);
      const names = execFileSync('docker', ['-H', docker, 'ps', '--format', '{{.Names}}'], { encoding: 'utf8' });
      const before = await machine.json<View>(['ps']);
      assert.deepEqual(names.trim().split('\n').sort(), before.instances.map(({ name }) => name).sort());

      await machine.must(['daemon', 'stop']);
      const after = await machine.json<View>(['ps']);
      assert.deepEqual(
        [after.release, after.instances],
        [before.release, before.instances],
        'the next daemon, started by a command without --engine',
      );
      assert.equal(await engineOf(machine), docker);

      const other = await machine.run(['ps', '--engine', 'embedded']);
      assertError(other, { exitCode: 4, says: new RegExp(`drives the engine ${docker}, not embedded`) });
      await assertNotSwitched(machine, docker);

      await machine.must(['down', '--volumes']);
      await machine.must(['daemon', 'config', 'unset', 'engine']);
      await machine.must(['daemon', 'restart']);
      assert.equal(await engineOf(machine), 'embedded');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

/** Neither the file nor the command line takes a root away from the engine that its projects run on. */
async function assertNotSwitched(machine: Machine, docker: string): Promise<void> {
  await machine.must(['daemon', 'stop']);
  await machine.must(['daemon', 'config', 'unset', 'engine']);
  for (const words of [['ps'], ['ps', '--engine', 'embedded']]) {
    const refused = await machine.run(words);
    assertError(refused, { exitCode: 4, says: /runs on the engine unix:\S+; the daemon was to drive embedded/ });
    assert.match(refused.stderr, /bascule daemon config set engine unix:/);
  }
  await machine.must(['daemon', 'config', 'set', 'engine', docker]);
  assert.equal((await machine.json<View>(['ps'])).release, 1);
}

describe('an engine that is none', { timeout: 540_000 }, () => {
  it('is told by the first command that needs it, and by doctor', async () => {
    await using machine = await openMachine();
    const nosuch = join(machine.folder, '..', 'nosuch.sock');
    machine.write(webProject({ port: await freePort(), version: 'one' }));
    await machine.must(['daemon', 'config', 'set', 'engine', nosuch]);
    await machine.must(['daemon', 'restart']);
    for (const words of [['up'], ['images'], ['build']]) {
      const result = await machine.run(words);
      assertError(result, { exitCode: 5, says: /on \S+nosuch\.sock does not answer \(there is no such socket\)/ });
      assert.match(result.stderr, /daemon config set engine/);
    }
    const doctor = await machine.run(['doctor']);
    assert.equal(doctor.exitCode, 1, doctor.stderr);
    assert.match(doctor.stdout, /✗ engine: .*nosuch\.sock/);

    await using wrong = await listenAsNoEngine(machine);
    await machine.must(['daemon', 'config', 'set', 'engine', wrong.path]);
    await machine.must(['daemon', 'restart']);
    for (const words of [['up'], ['images'], ['up', '--dry-run']])
      assertError(await machine.run(words), { exitCode: 5, says: /wrong\.sock is no container engine/ });
    await machine.must(['daemon', 'config', 'unset', 'engine']);
    await machine.must(['daemon', 'restart']);
  });

  it('starts no daemon when the command line asks for it, and ends none', async () => {
    await using machine = await openMachine();
    const nosuch = join(machine.folder, '..', 'nosuch.sock');
    assertError(await machine.run(['daemon', 'restart', '--engine', nosuch]), { exitCode: 5, says: /nosuch\.sock/ });
    assert.equal((await status(machine)).running, true);
    await machine.must(['daemon', 'stop']);
    await using wrong = await listenAsNoEngine(machine);
    const cases: readonly [engine: string, exitCode: number, says: RegExp][] = [
      [nosuch, 5, /nosuch\.sock does not answer \(there is no such socket\)/],
      [wrong.path, 5, /wrong\.sock is no container engine/],
      ['docker', 2, /"docker" is not an engine's socket/],
    ];
    for (const [engine, exitCode, says] of cases) {
      assertError(await machine.run(['images', '--engine', engine]), { exitCode, says });
      assert.equal((await status(machine)).running, false);
    }
    const doctor = await machine.run(['doctor', '--engine', wrong.path]);
    assert.equal(doctor.exitCode, 1, doctor.stderr);
    assert.match(doctor.stdout, /✗ engine: .*wrong\.sock is no container engine/);
  });
});

/** A socket that speaks HTTP, and knows nothing of containers. */
async function listenAsNoEngine(machine: Machine): Promise<AsyncDisposable & { readonly path: string }> {
  const path = join(machine.folder, '..', 'wrong.sock');
  const server = createServer((_request, response) => void response.writeHead(404).end('{}'));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

describe('the configuration file', { timeout: 540_000 }, () => {
  it('keeps a daemon with a mistake in it from starting, says where, and goes with purge', async () => {
    await using machine = await openMachine();
    const file = join(machine.root, 'config.yaml');
    await machine.must(['daemon', 'stop']);
    writeFileSync(file, '# ours\nengin: embedded\n');
    for (const words of [['images'], ['daemon', 'config']]) {
      const result = await machine.run(words);
      assertError(result, { exitCode: 2, says: /config\.yaml:2:1: unknown key "engin"/ });
      assert.match(result.stderr, /Did you mean "engine"\?/);
    }
    writeFileSync(file, '# ours\n');
    await machine.must(['daemon', 'config', 'set', 'engine', 'embedded']);
    assert.match(readFileSync(file, 'utf8'), /^# ours\n+engine: embedded\n$/);
    const [setting] = await machine.json<readonly { source: string }[]>(['daemon', 'config']);
    assert.deepEqual(setting, { key: 'engine', value: 'embedded', source: `${file}:3` });
    await machine.must(['purge', '--yes']);
    assert.equal(existsSync(machine.root), false);
  });
});

function assertError(result: CommandResult, expected: { readonly exitCode: number; readonly says: RegExp }): void {
  assert.equal(result.exitCode, expected.exitCode, `${result.stdout}${result.stderr}`);
  assert.match(result.stderr, expected.says);
  assert.match(result.stderr, /what to do:/);
  assert.doesNotMatch(result.stderr, /unexpected error|This is a bug/);
}

async function engineOf(machine: Machine): Promise<string | undefined> {
  return (await status(machine)).engine;
}

async function status(machine: Machine): Promise<Status> {
  return JSON.parse((await machine.run(['daemon', 'status', '--json'])).stdout) as Status;
}
