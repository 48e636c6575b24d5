import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { freePort } from '../support/free-port.ts';
import { type Machine, openMachine } from '../support/machine.ts';
import { waitFor } from '../support/wait.ts';

const skip = process.getuid?.() === 0 ? false : 'it needs root';

describe('bascule image build', { skip, timeout: 540_000 }, () => {
  let machine: Machine;
  before(async () => {
    machine = await openMachine();
    machine.write({
      'app/Dockerfile':
        'FROM busybox AS make\nARG WHO\nRUN --mount=type=secret,id=word cat /run/secrets/word; echo "hello $WHO" > /out\n' +
        'FROM scratch\nCOPY --from=make /out /out\nCOPY --from=extra . /extra/\n',
      'extra/file': 'x',
      word: 'open sesame\n',
    });
  });
  after(async () => {
    await machine?.[Symbol.asyncDispose]();
  });

  const options = ['--build-context', 'extra=extra', '--secret', 'id=word,src=word', '--build-arg', 'WHO'];
  const env = { WHO: 'environment' };

  it('builds from a folder, tells progress and id apart, and writes what it is asked for', async () => {
    const files = ['--iidfile', 'id', '--metadata-file', 'metadata'];
    const { stdout, stderr } = await machine.must(['image', 'build', '-t', 'app:1', ...options, ...files, 'app'], {
      env,
    });
    assert.match(stdout, /^sha256:[0-9a-f]{64}\s*$/);
    assert.match(stderr, /^#\d+ open sesame$/m);
    const read = (name: string): string => readFileSync(join(machine.folder, name), 'utf8');
    assert.equal(read('id'), stdout.trim());
    const metadata = JSON.parse(read('metadata')) as Record<string, string>;
    assert.deepEqual([metadata['image.name'], metadata['containerimage.config.digest']], ['app:1', stdout.trim()]);
    const again = await machine.must(['image', 'build', '-q', ...options, 'app'], { env });
    assert.deepEqual([again.stdout, again.stderr], [stdout, '']);
  });

  it('writes files into a folder and an archive to standard output', async () => {
    await machine.must(['image', 'build', '-q', '-o', 'out', ...options, 'app'], { env });
    assert.equal(readFileSync(join(machine.folder, 'out/out'), 'utf8'), 'hello environment\n');
    const { stdout } = await machine.must(['image', 'build', '-q', '-o', '-', ...options, 'app'], { env });
    assert.equal(execFileSync('tar', ['--list'], { input: stdout, encoding: 'utf8' }), 'extra/\nextra/file\nout\n');
  });

  it('pushes what it has built, and shares its cache through a registry, with the logins of who builds', async () => {
    const registry = `127.0.0.1:${await freePort()}`;
    await machine.must(['daemon', 'config', 'set', 'registry.listen', registry]);
    const launcher = ['sh', '-c', 'echo sesame | "$@"', 'sh'];
    await machine.must(['registry', 'user', 'add', 'ann'], { launcher });
    await machine.must(['daemon', 'restart']);
    const name = `${registry}/team/app`;
    const Dockerfile = `FROM ${name}:base\nRUN cat /proc/sys/kernel/random/uuid > /made\n`;
    await machine.must(['image', 'tag', 'busybox', `${name}:base`]);
    machine.write({ 'shared/Dockerfile': Dockerfile });
    const build = ['image', 'build', '--json', '--progress', 'plain', '--push', '-t', `${name}:1`];
    const denied = await machine.run([...build, 'shared']);
    assert.notEqual(denied.exitCode, 0);
    assert.match(denied.stderr, /registry-denied|denied|login/);
    const env = { DOCKER_CONFIG: join(machine.folder, 'docker') };
    await machine.must(['login', registry, '-u', 'ann'], { launcher, env });
    await machine.must(['image', 'push', `${name}:base`], { env });
    await machine.must([...build, '--cache-to', `type=registry,ref=${name}:cache,mode=max`, 'shared'], { env });
    assert.match((await machine.must(['registry', 'tags', 'team/app'])).stdout, /1[^]*cache/);

    await using elsewhere = await openMachine();
    elsewhere.write({ 'shared/Dockerfile': Dockerfile });
    const from = ['--cache-from', `${name}:cache`, '--cache-from', `${name}:nothing`, 'shared'];
    const { stderr } = await elsewhere.must(['image', 'build', '--progress', 'plain', '-t', 'app', ...from], { env });
    assert.match(stderr, /CACHED/);
    assert.match(stderr, /the cache \S+:nothing cannot be used/);
    const layersOf = async (where: Machine, image: string): Promise<unknown> =>
      (await where.json<{ RootFS: unknown }>(['image', 'inspect', image])).RootFS;
    assert.deepEqual(await layersOf(elsewhere, 'app'), await layersOf(machine, `${name}:1`));
  });

  it('ends with the command: what it runs is stopped', async () => {
    machine.write({ 'long/Dockerfile': `FROM busybox\nRUN sleep 98765.${process.pid}\n` });
    const runs = (): boolean => spawnSync('pgrep', ['-f', `^sleep 98765.${process.pid}`]).status === 0;
    const program = join(import.meta.dirname, '../../bin/bascule');
    const command = spawn(program, ['image', 'build', 'long'], {
      cwd: machine.folder,
      env: { ...process.env, BASCULE_ROOT: machine.root },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    command.stderr.on('data', (data: Buffer) => (said += data.toString()));
    await waitFor(runs, { timeoutMs: 20_000, what: 'the step runs' });
    const ended = once(command, 'exit');
    command.kill('SIGINT');
    assert.deepEqual(await ended, [130, null]);
    assert.match(said, /the build was cancelled/);
    await waitFor(() => !runs(), { timeoutMs: 10_000, what: 'the step has ended' });
  });

  it('checks, and says where something is wrong, for people and for programs', async () => {
    machine.write({ 'bad/Dockerfile': 'FROM busybox as base\nRUN exit 3\n' });
    const check = await machine.run(['image', 'build', '--check', 'bad']);
    assert.equal(check.exitCode, 1);
    assert.match(check.stderr, /FromAsCasing/);
    const failed = await machine.run(['image', 'build', '--json', 'bad']);
    const last = failed.stderr.trim().split('\n').at(-1) ?? '';
    const { error } = JSON.parse(last) as { error: { code: string; details: { exitCode: number; line: number } } };
    assert.deepEqual([error.code, error.details.exitCode, error.details.line], ['build-step-failed', 3, 2]);
    const missing = await machine.run(['image', 'build', '--secret', 'id=none,src=nowhere', 'app']);
    assert.match(missing.stderr, /the secret none cannot be read/);
  });
});
