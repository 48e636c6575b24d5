import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { canaryProject } from '../support/canary-project.ts';
import { type Load, startLoad } from '../support/load.ts';
import { freePort } from '../support/free-port.ts';
import { type Machine, openMachine } from '../support/machine.ts';
import { waitFor } from '../support/wait.ts';

const PROGRAM = join(import.meta.dirname, '..', '..', 'bin', 'bascule');
const HELD = '  strategy: canary\n  canary: {steps: [{weight: 25%, for: 10m}], on_insufficient: promote}';

interface Instance {
  readonly name: string;
  readonly role: string;
  readonly isOut?: boolean;
}

/** What a user types to look at rollouts and to steer them; the tests build upon one another. */
describe('commands of rollouts', { timeout: 540_000 }, () => {
  let machine: Machine;
  let port: number;

  before(async () => {
    machine = await openMachine();
    port = await freePort();
    machine.write(canaryProject({ port, version: '1' }));
    await machine.must(['up']);
  });
  after(async () => {
    await machine[Symbol.asyncDispose]();
  });

  const instances = async (): Promise<readonly Instance[]> =>
    (await machine.json<{ instances: readonly Instance[] }>(['ps'])).instances;
  const deployHeld = async (version: string, failing = 0): Promise<void> => {
    machine.write(canaryProject({ port, version, failing, settings: HELD }));
    const { stdout } = await machine.must(['deploy', '--detach']);
    assert.match(stdout, /goes on in the daemon: `bascule rollout watch` shows it/);
  };
  const compared = (): Promise<unknown> =>
    waitFor(
      async () => {
        const { stage } = await machine.json<{ stage?: { weight: number } }>(['rollout', 'status']);
        return stage?.weight === 2_500;
      },
      { timeoutMs: 60_000, intervalMs: 200, what: 'the comparison' },
    );

  it('plan without doing', async () => {
    const before = await machine.json<readonly unknown[]>(['releases']);
    machine.write(canaryProject({ port, version: '2' }));
    assert.match((await machine.must(['deploy', '--dry-run', '--strategy', 'canary'])).stdout, /compare both releases/);
    assert.match((await machine.must(['scale', 'web=3', '--dry-run'])).stdout, /create canary-web-r1-3/);
    assert.match((await machine.must(['set', 'image', 'web=busybox', '--dry-run'])).stdout, /image changed/);
    assert.deepEqual(await machine.json(['releases']), before);
  });

  it('scale without restarting, and put it back', async () => {
    const { stdout } = await machine.must(['scale', 'web=3']);
    assert.match(stdout, /serves release 2/);
    const current = (await instances()).filter(({ role }) => role === 'current').map(({ name }) => name);
    assert.deepEqual(current.toSorted(), ['canary-web-r1-1', 'canary-web-r1-2', 'canary-web-r1-3']);
    const back = await machine.must(['rollback', '--dry-run']);
    assert.match(back.stdout, /release 1 is current/);
    await machine.must(['rollback']);
  });

  it('tell one release from another', async () => {
    const diff = await machine.must(['releases', 'diff', '1', '2']);
    assert.match(diff.stdout, /^services\.web\.replicas\n {2}- 2\n {2}\+ 3$/m);
    const show = await machine.must(['releases', 'show', '2']);
    assert.match(show.stdout, /^release 2 of canary: /);
    assert.match(show.stdout, /VERSION: "1"/);
    assert.equal((await machine.run(['releases', 'show', '99'])).exitCode, 3);
  });

  it('take an instance out of traffic, and put it back', async () => {
    await machine.must(['traffic', 'out', 'canary-web-r1-1']);
    assert.deepEqual(
      (await instances()).filter(({ isOut }) => isOut === true).map(({ name }) => name),
      ['canary-web-r1-1'],
    );
    assert.match((await machine.must(['ps'])).stdout, /^canary-web-r1-1 .* current, out of traffic/m);
    await machine.must(['traffic', 'in', 'canary-web-r1-1']);
    assert.ok((await instances()).every(({ isOut }) => isOut !== true));
    assert.equal((await machine.run(['traffic', 'out', 'nobody'])).exitCode, 3);
  });

  it('show a canary in lines, as JSON and on a terminal, and take orders meanwhile', async () => {
    await deployHeld('3');
    await compared();
    assert.match((await machine.must(['ps'])).stdout, /traffic: 75 % release \d+, 25 % release \d+/);
    const lines = machine.run(['rollout', 'watch']);
    const objects = machine.run(['rollout', 'watch', '--json']);
    const terminal = onTerminal(machine, 'rollout watch');
    await terminal.shows(/25 % release \d+/);
    await machine.must(['rollout', 'weight', '12.5%']);
    await terminal.shows(/12\.5 % release \d+/);
    terminal.press('p');
    await terminal.shows(/paused/);
    terminal.press('m');
    await terminal.shows(/Promote: .*\?/);
    terminal.press('y');

    const shown = await terminal.ended;
    assert.ok(shown.startsWith('\u001b[?1049h'), 'it takes the whole terminal');
    assert.ok(shown.lastIndexOf('\u001b[?1049l') > shown.lastIndexOf('\u001b[?1049h'), 'and gives it back');
    assert.match(shown.slice(shown.lastIndexOf('\u001b[?1049l')), /switched/);
    assert.match((await lines).stdout, /at 12\.5 %(?:.*\n)*.*switched$/m);
    assert.equal((await lines).exitCode, 0);
    const last = (await objects).stdout.trim().split('\n').at(-1) ?? '';
    assert.equal((JSON.parse(last) as { result: string }).result, 'switched');
  });

  it('end with 9 when the new release is found worse, and with 130 when somebody aborts', async () => {
    await deployHeld('4');
    await compared();
    const watch = machine.run(['rollout', 'watch']);
    await machine.must(['rollout', 'abort']);
    assert.equal((await watch).exitCode, 130);

    const load: Load = await startLoad({
      url: `http://127.0.0.1:${port}/cgi-bin/answer`,
      connections: 4,
      ratePerSecond: 60,
      newConnectionShare: 0.5,
      version: { from: 'body', pattern: 'version=(\\w+)' },
    });
    machine.write(canaryProject({ port, version: '5', failing: 60, settings: HELD }));
    const worse = await machine.run(['deploy']);
    await load.stop();
    assert.equal(worse.exitCode, 9, worse.stderr);
    assert.match(worse.stderr, /stage 1\/1 at 25 % · old .* · new /, 'lines show both sides');
    assert.equal((await machine.run(['rollout', 'watch'])).exitCode, 9, 'also afterwards');
  });
});

/** A command in a terminal that util-linux's `script` makes. */
function onTerminal(machine: Machine, words: string) {
  const child = spawn('script', ['-qec', `stty cols 80 rows 40; ${PROGRAM} ${words}`, '/dev/null'], {
    cwd: machine.folder,
    env: { ...process.env, BASCULE_ROOT: machine.root, NO_COLOR: '1', TERM: 'xterm' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  let looked = 0;
  child.stdout.on('data', (data: Buffer) => (output += data.toString('utf8')));
  const ended = new Promise<string>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => resolve(output));
  });
  return {
    ended,
    press: (key: string) => {
      looked = output.length;
      child.stdin.write(key);
    },
    /** Since the last key. */
    shows: (pattern: RegExp) =>
      waitFor(() => pattern.test(output.slice(looked)), { timeoutMs: 20_000, what: `${pattern} on the terminal` }),
  };
}
