import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { bascule, type CommandResult } from '../support/bascule.ts';
import { DebianRegistry, USER, whyNoRegistry } from '../support/debian-registry.ts';
import { type Machine, openMachine } from '../support/machine.ts';

interface Transferred {
  readonly reference: string;
  readonly digest: string;
  readonly id: string;
}

describe('commands for registries', { skip: whyNoRegistry(), timeout: 540_000 }, () => {
  const registry = new DebianRegistry('basic');
  let machine: Machine;
  let env: Record<string, string>;
  const run = (words: readonly string[], input = ''): Promise<CommandResult> =>
    bascule(machine.root, words, {
      cwd: machine.folder,
      env,
      launcher: ['sh', '-c', `printf '%s\\n' '${input}' | "$0" "$@"`],
    });
  const must = async (words: readonly string[], input = ''): Promise<string> => {
    const result = await run(words, input);
    assert.equal(result.exitCode, 0, result.stderr);
    return result.stdout;
  };

  before(async () => {
    await registry.start();
    machine = await openMachine();
    env = { DOCKER_CONFIG: join(machine.folder, 'docker') };
    await must(['daemon', 'restart']);
  });
  after(async () => {
    await machine[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  it('log in where the registry knows the user, and keep the login as Docker does', async () => {
    const wrong = await run(['login', '-u', USER.username, registry.host], 'wrong');
    assert.equal(wrong.exitCode, 6, wrong.stderr);
    assert.match(wrong.stderr, /refused access/);
    assert.match(
      await must(['login', '-u', USER.username, registry.host], USER.password),
      /logged in to 127\.0\.0\.1:\d+ as anna/,
    );
    const file = join(env['DOCKER_CONFIG']!, 'config.json');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    assert.match(readFileSync(file, 'utf8'), new RegExp(`"${registry.host}"`));
  });

  it('push and pull, with words, figures and JSON', async () => {
    const name = `${registry.host}/team/box:1`;
    await must(['image', 'tag', 'busybox', name]);
    const [pushed] = JSON.parse(await must(['image', 'push', '--json', name])) as readonly Transferred[];
    assert.match(pushed!.digest, /^sha256:/);
    await must(['image', 'rm', name]);
    const pulled = await run(['image', 'pull', name, `${registry.host}/team/box@${pushed!.digest}`]);
    assert.equal(pulled.exitCode, 0, pulled.stderr);
    assert.equal(pulled.stdout.split('\n').filter(Boolean).length, 2);
    assert.match(pulled.stdout, new RegExp(`^${name} ${pushed!.digest}`));
    assert.match(pulled.stderr, /Pulling from team\/box[^]*Already exists[^]*Status: Downloaded newer image/);
  });

  it('run a project of images that are not here', async () => {
    const name = `${registry.host}/team/run:1`;
    await must(['image', 'tag', 'busybox', name]);
    await must(['image', 'push', name]);
    await must(['image', 'rm', name]);
    machine.write({ Dockerfile: `FROM ${name}\nRUN true\n` });
    // The daemon finds the login by itself: it was started with the same DOCKER_CONFIG.
    await must(['image', 'build', '-t', 'built', '.']);
    await must(['image', 'rm', name]);
    machine.write({
      'compose.yaml': `services:\n  worker:\n    image: ${name}\n    pull_policy: always\n    command: sleep 1000\n`,
    });
    await must(['-p', 'pulled', 'up', '--force']);
    await must(['-p', 'pulled', 'down']);
  });

  it('log out, and are told what is missing', async () => {
    assert.match(await must(['logout', registry.host]), /logged out/);
    assert.match(await must(['logout', registry.host]), /there was no login/);
    const refused = await run(['image', 'pull', `${registry.host}/team/box:2`]);
    assert.notEqual(refused.exitCode, 0);
    assert.match(refused.stderr, /refused access[^]*bascule login 127/);
    const gone = await run(['image', 'pull', '127.0.0.1:1/x:1']);
    assert.match(gone.stderr, /cannot reach the registry 127\.0\.0\.1:1: nobody listens there/);
  });
});
