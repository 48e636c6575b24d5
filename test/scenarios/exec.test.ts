import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { freePort } from '../support/free-port.ts';
import { openMachine } from '../support/machine.ts';
import { webProject } from '../support/web-project.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'bin', 'bascule');

describe('exec', { timeout: 540_000 }, () => {
  it('gives a terminal of the right size, standard input, and exit codes', async () => {
    await using machine = await openMachine();
    machine.write(webProject({ port: await freePort(), version: 'one' }));
    await machine.must(['up']);
    const pid = await machine.daemonPid();

    const terminal = await typed(machine, 'test -t 0 && echo a terminal; stty size; exit 3\n');
    assert.match(terminal, /a terminal\r+\n33 101\r+\n/);
    assert.match(terminal, /rc=3/);

    const killed = await machine.run(['exec', 'worker', 'sh', '-c', 'kill -9 $$']);
    assert.equal(killed.exitCode, 137);
    const missing = await machine.run(['exec', 'worker', 'nosuchprogram']);
    assert.equal(missing.exitCode, 127);
    assert.equal(await machine.daemonPid(), pid, 'the daemon lives on');
  });
});

/** A user at a terminal of 33 lines and 101 columns: util-linux' script makes it. */
async function typed(machine: { readonly root: string; readonly folder: string }, input: string): Promise<string> {
  const line = `stty rows 33 cols 101; ${PROGRAM} exec worker sh; echo rc=$?`;
  const child = spawn('script', ['-qfec', line, '/dev/null'], {
    cwd: machine.folder,
    env: { ...process.env, BASCULE_ROOT: machine.root, TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (data: Buffer) => {
    // The shell's prompt says that it listens.
    if (!output.includes('# ') && (output + data.toString('utf8')).includes('# ')) child.stdin.write(input);
    output += data.toString('utf8');
  });
  await new Promise((resolve, reject) => child.once('error', reject).once('close', resolve));
  return output;
}
