import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { scopeOf } from '../../src/lib/scope.ts';
import { type Machine, openMachine } from '../support/machine.ts';
import { waitFor } from '../support/wait.ts';

/** Words that stand nowhere else. The last one is printed by a job and by a hook: the engine's own logs hold it. */
const CANARY = { file: 'canary-Xq7-file', variable: 'canary-Xq7-variable', printed: 'canary-Xq7-printed' };

function compose(o: { readonly version: number; readonly jobs?: string; readonly hook?: string }): string {
  return `
name: vault
x-bascule: {health_timeout: 15s, keep: 0s, drain: 1s, rollback_window: 1, jobs: ${o.jobs ?? '{}'}}
services:
  web:
    image: busybox
    command: ["sleep", "100000"]
    init: true
    environment: {VERSION: "${o.version}", DB_PASSWORD: canary-Xq7-environment}
    stop_grace_period: 1s
    secrets: [token, key, {source: pin, mode: 0440}]
    configs: [{source: motd, target: /etc/motd}]
    ${o.hook === undefined ? '' : `post_start: [{command: ["sh", "-c", "${o.hook}"]}]`}
secrets:
  token: {file: ./token}
  key: {environment: VAULT_KEY}
  pin: {file: ./pin}
configs: {motd: {content: "welcome ${o.version}"}}
`;
}

describe('configs and secrets', { timeout: 600_000 }, () => {
  let machine: Machine;
  let memory: string;
  const said: string[] = [];
  const env = { VAULT_KEY: CANARY.variable };

  /** Whatever a command says is looked at in the end. */
  const run = async (...words: string[]): Promise<{ readonly exitCode: number; readonly text: string }> => {
    const { exitCode, stdout, stderr } = await machine.run(words, { env });
    said.push(stdout, stderr);
    return { exitCode, text: stdout };
  };
  const deploy = async (o: Parameters<typeof compose>[0], secrets: Readonly<Record<string, string>> = {}) => {
    machine.write({ 'compose.yaml': compose(o), token: CANARY.file, pin: CANARY.printed, ...secrets });
    return await run('deploy');
  };
  const read = async (path: string): Promise<string> =>
    (await machine.must(['exec', 'web', 'cat', path], { env })).stdout;

  before(async () => {
    machine = await openMachine();
    memory = join(scopeOf(machine.root).runDirectory, 'files');
  });
  after(async () => {
    await machine[Symbol.asyncDispose]();
    assert.ok(!isMounted(memory), 'nothing stays mounted');
  });

  it('are files of their own in memory, for root alone on the host', async () => {
    assert.equal((await deploy({ version: 1 })).exitCode, 0, said.join('\n'));
    assert.equal(await read('/run/secrets/token'), CANARY.file);
    assert.equal(await read('/run/secrets/key'), CANARY.variable);
    assert.equal(await read('/etc/motd'), 'welcome 1');
    assert.ok(isMounted(memory));
    assert.equal(statSync(memory).mode & 0o777, 0o700);
    assert.equal(statSync(join(machine.root, 'delivery', 'secrets.key')).mode & 0o777, 0o600);
  });

  it('make a release when their content changes, and none when it does not', async () => {
    await deploy({ version: 1 });
    assert.equal(await current(machine), 1);
    await deploy({ version: 1 }, { pin: `${CANARY.printed}-2` });
    assert.equal(await current(machine), 2);
    await deploy({ version: 1 });
    assert.equal(await current(machine), 3);
    assert.equal(await read('/run/secrets/pin'), CANARY.printed);
  });

  it('go when no release in the rollback window needs them', async () => {
    const files = (): readonly string[] => readdirSync(join(machine.root, 'delivery', 'files'));
    for (const version of [4, 5, 6]) await deploy({ version });
    await waitFor(() => files().length === 5, {
      timeoutMs: 30_000,
      what: `three secrets and two configs: ${files().length}`,
    });
    await waitFor(() => readdirSync(memory).length === 4, {
      timeoutMs: 30_000,
      what: 'only those of the live release are in memory',
    });
  });

  it('are there again after a restart of the machine, before the engine starts what needs them', async () => {
    const before = await current(machine);
    process.kill(await machine.daemonPid(), 'SIGKILL');
    killBelow(machine.root);
    execFileSync('umount', ['--lazy', memory]);
    await run('ps');
    await waitFor(async () => (await run('exec', 'web', 'cat', '/run/secrets/token')).text === CANARY.file, {
      timeoutMs: 60_000,
      intervalMs: 500,
      what: 'the instance runs again, with its secret',
    });
    assert.equal(await current(machine), before);
    assert.equal(statSync(memory).mode & 0o777, 0o700);
  });

  it('stand nowhere: no output, no error, no log, no ledger, no argument, no environment, no file', async () => {
    const leak = 'cat /run/secrets/pin; exit 1';
    const job = `{leak: {service: web, command: ["sh", "-c", "${leak}"], at: before-switch}}`;
    assert.notEqual((await deploy({ version: 7, jobs: job })).exitCode, 0);
    assert.notEqual((await deploy({ version: 8, hook: leak })).exitCode, 0);
    assert.ok(
      said.some((text) => text.includes('(hidden)')),
      'the job said it, and was not quoted',
    );
    const number = String(await current(machine));
    for (const words of [
      ['ps', '--json'],
      ['releases', '--json'],
      ['releases', 'show', number, '--json'],
      ['releases', 'diff', '1', number, '--json'],
      ['ledger', '--json'],
      ['ledger', '--html'],
      ['rollout', 'status', '--json'],
      ['deploy', '--dry-run', '--json'],
      ['rollback', '--dry-run', '--json'],
    ])
      await run(...words);
    const found = said.join('\n').match(/.*canary-Xq7.*/)?.[0];
    // What programs themselves were told to print is theirs: `exec cat` of a secret.
    assert.equal(
      (found ?? '').replace(CANARY.file, ''),
      '',
      said
        .join('\n')
        .match(/.*canary-Xq7.*/g)
        ?.join('\n') ?? '',
    );
    const values = Object.values(CANARY);
    assert.deepEqual(filesWith(machine.root, ['canary-Xq7-environment', ...values]), []);
    assert.deepEqual(processesWith(values), []);
  });
});

async function current(machine: Machine): Promise<number> {
  const releases = await machine.json<readonly { readonly number: number; readonly state: string }[]>(['releases']);
  return releases.find(({ state }) => state === 'current')?.number ?? 0;
}

function isMounted(path: string): boolean {
  return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${path} `);
}

/** All that runs for this root dies at once, as when the power goes. */
function killBelow(root: string): void {
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (Number(pid) !== process.pid && textOf(`/proc/${pid}/cmdline`).includes(root)) kill(Number(pid));
    else if (textOf(`/proc/${pid}/cgroup`).includes(scopeOf(root).suffix)) kill(Number(pid));
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it has ended meanwhile
  }
}

/** Beneath the root, the engine's own folder aside: it keeps what containers print, and their environment. */
function filesWith(root: string, words: readonly string[]): readonly string[] {
  const own = ['delivery', 'daemon.log'].map((name) => join(root, name)).filter((path) => existsSync(path));
  return own
    .flatMap((path) => filesBelow(path))
    .filter((path) => words.some((word) => readFileSync(path).includes(word)));
}

function filesBelow(path: string): readonly string[] {
  if (!statSync(path).isDirectory()) return statSync(path).isFile() ? [path] : [];
  return readdirSync(path).flatMap((name) => filesBelow(join(path, name)));
}

function processesWith(words: readonly string[]): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => ['cmdline', 'environ'].map((name) => `/proc/${pid}/${name}`))
    .filter((path) => words.some((word) => textOf(path).includes(word)));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}
