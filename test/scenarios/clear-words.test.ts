import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { openMachine, type Machine } from '../support/machine.ts';
import { waitFor } from '../support/wait.ts';

const COMPOSE = 'compose.yaml';
const IDLE = 'image: busybox\n    command: [sleep, "1000"]\n    stop_grace_period: 0s\n';
const SHOP = `name: shop\nservices:\n  web:\n    ${IDLE}  worker:\n    ${IDLE}`;

describe('what is told', { timeout: 540_000 }, () => {
  let machine: Machine;
  before(async () => {
    machine = await openMachine();
  });
  after(() => machine[Symbol.asyncDispose]());

  it('why nothing serves after a first release that failed, and after down', async () => {
    machine.write({ [COMPOSE]: 'name: bad\nservices:\n  web:\n    image: busybox\n    command: [sh, -c, exit 3]\n' });
    assert.equal((await machine.run(['up'])).exitCode, 1);
    const failed = (await machine.must(['ps'])).stdout;
    assert.match(failed, /^bad serves nothing: .*\n.*its last up \(by \w+, .*\) failed and was undone: .*exit code 3/);
    assert.match(failed, /what to do: .*bascule up/);
    assert.doesNotMatch(failed, /INSTANCE/);

    machine.write({ [COMPOSE]: SHOP });
    await machine.must(['up']);
    await machine.must(['down']);
    assert.match(
      (await machine.must(['ps'])).stdout,
      /^shop serves nothing.*\n.*taken down by .*`bascule up` starts it/,
    );
    assert.match((await machine.must(['ps', '--all'])).stdout, /bad serves nothing[^]*shop serves nothing/);
  });

  it('which folder or Dockerfile was looked for, and how to name another', async () => {
    machine.write({ [COMPOSE]: 'services:\n  web:\n    build: ./nosuch\n' });
    const folder = (await machine.run(['-p', 'built', 'up'])).stderr;
    assert.match(folder, /the build context \S+\/project\/nosuch is no folder/);
    assert.match(folder, /services\.web\.build\.context/);
    machine.write({
      [COMPOSE]: 'services:\n  web:\n    build: ./there\n',
      'there/Dockerfile.prod': 'FROM busybox\n',
      'there/Dokcerfile': 'FROM busybox\n',
    });
    const file = (await machine.run(['-p', 'built', 'up'])).stderr;
    assert.match(file, /there is no Dockerfile at \S+\/project\/there\/Dockerfile\n/);
    assert.match(file, /Did you mean Dokcerfile\?.*services\.web\.build\.dockerfile/);
    for (const text of [folder, file]) assert.doesNotMatch(text, /where the output/);
  });

  it('once why an image cannot be had', async () => {
    machine.write({ [COMPOSE]: 'services:\n  web:\n    image: 127.0.0.1:1/nosuch/image:1\n' });
    const { stderr } = await machine.run(['-p', 'pulled', 'up']);
    const [message = ''] = stderr.split('\n').filter((line) => line.startsWith('error:'));
    assert.equal(message.split('nosuch/image').length, 2, message);
    assert.doesNotMatch(message, /cannot pull nosuch/);
  });

  it('which release needs an image that somebody wants to remove', async () => {
    machine.write({ [COMPOSE]: SHOP });
    await machine.must(['up', '--force']);
    const { number } = (await machine.json<readonly { number: number }[]>(['releases']))[0]!;
    const refused = await machine.run(['image', 'rm', `shop-web:r${number}`]);
    assert.equal(refused.exitCode, 4, refused.stderr);
    assert.match(refused.stderr, new RegExp(`needed by release ${number} of shop \\(current\\)[^]*--force`));
    await machine.must(['image', 'rm', '--force', `shop-web:r${number}`]);
    const missing = await machine.run(['image', 'rm', 'nosuch:1']);
    assert.equal(missing.exitCode, 3, missing.stderr);
  });

  it('to a shell: services and releases, and nothing when no daemon runs', async () => {
    machine.write({ [COMPOSE]: SHOP });
    await machine.must(['up', '--force']);
    await offered(machine, ['logs', ''], ['web', 'worker']);
    await offered(machine, ['logs', '-f', 'wo'], ['worker']);
    await offered(machine, ['-f', COMPOSE, 'exec', 'w'], ['web', 'worker']);
    assert.deepEqual(await candidates(machine, ['exec', 'web', '']), []);
    const releases = await machine.json<readonly { number: number; state: string }[]>(['releases']);
    const back = releases.filter(({ state }) => state === 'warm' || state === 'kept');
    assert.ok(back.length > 0);
    await offered(
      machine,
      ['rollback', ''],
      back.map(({ number }) => String(number)),
    );
    assert.deepEqual(await candidates(machine, ['-p', 'nosuch', 'logs', '']), []);

    await machine.must(['daemon', 'stop']);
    assert.deepEqual(await candidates(machine, ['logs', '']), []);
    assert.match((await machine.run(['daemon', 'status'])).stdout, /^not running/);
  });
});

/** A shell does not wait: a daemon that is busy for a moment offers nothing, and is asked again here. */
async function offered(machine: Machine, words: readonly string[], expected: readonly string[]): Promise<void> {
  const found = await waitFor(
    async () => {
      const all = await candidates(machine, words);
      return all.length === 0 ? undefined : all;
    },
    { timeoutMs: 30_000, what: `candidates of ${words.join(' ')}` },
  );
  assert.deepEqual(found, expected);
}

async function candidates(machine: Machine, words: readonly string[]): Promise<readonly string[]> {
  const { stdout, stderr } = await machine.must(['complete', '--', ...words]);
  assert.equal(stderr, '');
  return stdout
    .split('\n')
    .map((line) => line.split('\t')[0] ?? '')
    .filter((word) => word !== '' && !word.startsWith(':'));
}
