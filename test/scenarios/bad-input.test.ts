import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, symlinkSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { CommandResult } from '../support/bascule.ts';
import { freePort } from '../support/free-port.ts';
import { openMachine, type Machine } from '../support/machine.ts';
import { webProject } from '../support/web-project.ts';

interface Case {
  readonly name: string;
  readonly files: Readonly<Record<string, string>>;
  readonly exitCode: number;
  /** What and where, and what to do, must be told. */
  readonly says: readonly RegExp[];
}

const COMPOSE = 'compose.yaml';

const CASES: readonly Case[] = [
  {
    name: 'YAML that is none',
    files: { [COMPOSE]: 'services:\n  web:\n    image: [busybox\n' },
    exitCode: 2,
    says: [/compose\.yaml:\d+/],
  },
  {
    name: 'an unknown key, with the nearest one',
    files: { [COMPOSE]: 'services:\n  web:\n    image: busybox\n    enviroment: [A=1]\n' },
    exitCode: 2,
    says: [/compose\.yaml:4:5/, /services\.web\.enviroment/, /environment/],
  },
  {
    name: 'something known to Compose that is not supported yet',
    files: { [COMPOSE]: 'services:\n  web:\n    image: busybox\n    ipc: host\n' },
    exitCode: 7,
    says: [/services\.web\.ipc/],
  },
  {
    name: 'a network that is not declared',
    files: { [COMPOSE]: 'services:\n  web:\n    image: busybox\n    networks: [nowhere]\n' },
    exitCode: 2,
    says: [/nowhere/],
  },
  {
    name: 'services that wait for each other',
    files: {
      [COMPOSE]:
        'services:\n  a:\n    image: busybox\n    depends_on: [b]\n  b:\n    image: busybox\n    depends_on: [a]\n',
    },
    exitCode: 2,
    says: [/circle: a → b → a/],
  },
  {
    name: 'a variable that must be set',
    files: { [COMPOSE]: 'services:\n  web:\n    image: busybox:${TAG:?say which}\n' },
    exitCode: 2,
    says: [/TAG/, /say which/],
  },
  {
    name: 'an image that is not there',
    files: { [COMPOSE]: 'services:\n  web:\n    image: 127.0.0.1:1/nosuch/image:1\n' },
    exitCode: 3,
    says: [/nosuch\/image:1/],
  },
  {
    name: 'a base image that is not there',
    files: { [COMPOSE]: 'services:\n  web:\n    build: .\n', Dockerfile: 'FROM 127.0.0.1:1/nosuch:base\n' },
    exitCode: 1,
    says: [/nosuch:base/],
  },
  {
    name: 'a Dockerfile that is not there',
    files: { [COMPOSE]: 'services:\n  web:\n    build: ./elsewhere\n', 'elsewhere/readme': 'nothing\n' },
    exitCode: 1,
    says: [/Dockerfile/, /elsewhere/],
  },
  {
    name: 'an instruction that does not exist, with the nearest one',
    files: { [COMPOSE]: 'services:\n  web:\n    build: .\n', Dockerfile: 'FROM busybox\nRUNN true\n' },
    exitCode: 1,
    says: [/Dockerfile:2/, /RUNN/, /Did you mean RUN\?/],
  },
  {
    name: 'a build step that fails',
    files: { [COMPOSE]: 'services:\n  web:\n    build: .\n', Dockerfile: 'FROM busybox\nRUN echo before; exit 42\n' },
    exitCode: 1,
    says: [/Dockerfile:2/, /42/, /before/],
  },
  {
    name: 'a command that is not in the image',
    files: { [COMPOSE]: 'services:\n  web:\n    image: busybox\n    command: [nosuchcommand]\n' },
    exitCode: 1,
    says: [/nosuchcommand/],
  },
  {
    name: 'a service that crashes, with its last words',
    files: {
      [COMPOSE]: 'services:\n  web:\n    image: busybox\n    command: ["sh", "-c", "echo my last words; exit 3"]\n',
    },
    exitCode: 1,
    says: [/my last words/],
  },
];

describe('bad input', { timeout: 540_000 }, () => {
  let machine: Machine;
  before(async () => {
    machine = await openMachine();
  });
  after(() => machine[Symbol.asyncDispose]());

  for (const { name, files, exitCode, says } of CASES) {
    it(`tells ${name}`, async () => {
      execFileSync('find', [machine.folder, '-mindepth', '1', '-delete']);
      machine.write(files);
      const result = await machine.run(['-p', 'bad', 'up']);
      assert.equal(result.exitCode, exitCode, result.stderr);
      for (const pattern of [...says, /what to do:/]) assert.match(result.stderr, pattern);
      assertNoBug(result);
      assert.deepEqual(await leftovers(machine), []);
    });
  }

  it('tells a folder without a Compose file', async () => {
    execFileSync('find', [machine.folder, '-mindepth', '1', '-delete']);
    const result = await machine.run(['up']);
    assert.equal(result.exitCode, 3, result.stderr);
    assert.match(result.stderr, /no compose\.yaml in/);
  });

  it('tells a project, a service and a release that do not exist', async () => {
    for (const words of [['ps'], ['logs'], ['rollback'], ['ledger'], ['exec', 'web', 'true']]) {
      const result = await machine.run(['-p', 'nosuchproject', ...words]);
      assert.equal(result.exitCode, 3, `${words.join(' ')}: ${result.stderr}`);
      assert.match(result.stderr, /nosuchproject/);
    }
  });

  it('tells wrong usage with the nearest command', async () => {
    const result = await machine.run(['deplyo']);
    assert.equal(result.exitCode, 2);
    assert.match(result.stderr, /Did you mean deploy/);
  });

  const MISUSES: readonly { words: readonly string[]; exitCode: number; says: RegExp }[] = [
    { words: ['logs', '--since', 'rubbish'], exitCode: 2, says: /how long ago, such as 10m/ },
    { words: ['ps', '--env-file', 'nosuch.env'], exitCode: 3, says: /there is no file .*nosuch\.env\n.*what to do/ },
    { words: ['image', 'bootstrap', 'nonsense'], exitCode: 3, says: /"nonsense:latest" cannot be made.*\n.*busybox/ },
  ];
  for (const { words, exitCode, says } of MISUSES) {
    it(`tells what is wrong with: ${words.join(' ')}`, async () => {
      machine.write({ [COMPOSE]: 'services:\n  web:\n    image: busybox\n' });
      const result = await machine.run(words);
      assert.equal(result.exitCode, exitCode, result.stderr);
      assert.match(result.stderr, says);
      assertNoBug(result);
    });
  }

  it('says that nothing runs when there is nothing to take down', async () => {
    const result = await machine.run(['-p', 'nosuchproject', 'down']);
    assert.equal(result.exitCode, 0, result.stderr);
    assert.match(`${result.stdout}${result.stderr}`, /nosuchproject: nothing of it runs/);
  });

  it('completes in a bash without the package bash-completion, also when sourced twice', async () => {
    machine.write({ 'completion.bash': (await machine.run(['completion', 'bash'])).stdout });
    const probe = 'COMP_WORDS=(bascule roll); COMP_CWORD=1; bascule() { echo rollback; }; compopt() { :; }';
    const bash = spawnSync(
      'bash',
      [
        '--norc',
        '-c',
        `. "$0"; . "$0"; ${probe}; __bascule_complete; echo "$COMPREPLY"`,
        join(machine.folder, 'completion.bash'),
      ],
      { encoding: 'utf8' },
    );
    assert.deepEqual([bash.stdout, bash.stderr], ['rollback\n', '']);
  });

  it('tells that only root may start the daemon', async (context) => {
    const launcher = ['--reuid=65534', '--regid=65534', '--clear-groups'];
    if (spawnSync('setpriv', [...launcher, 'test', '-x', process.execPath]).status !== 0) {
      context.skip('other users may not enter the folder of this checkout');
      return;
    }
    chmodSync(machine.folder, 0o755);
    const result = await machine.run(['ps', '--root', '/var/tmp/bascule-nobody'], {
      launcher: ['setpriv', ...launcher],
    });
    assert.equal(result.exitCode, 6, result.stderr);
    assert.match(result.stderr, /root/);
  });

  it('tells programs that are missing, and their packages, where the daemon cannot even start', async () => {
    const programs = mkdtempSync(join(machine.folder, '..', 'programs-'));
    for (const name of ['sh', 'dirname', 'readlink', 'id', 'runc', 'conmon', 'ip', 'nft', 'dnsmasq']) {
      symlinkSync(execFileSync('which', [name], { encoding: 'utf8' }).trim(), join(programs, name));
    }
    const result = await machine.run(['doctor'], { env: { PATH: programs } });
    assert.equal(result.exitCode, 1, result.stderr);
    assert.match(result.stdout, /✗ haproxy: not installed.*\n.*apt-get install haproxy/);
    const other = ['--root', join(machine.folder, '..', 'other')];
    const up = await machine.run(['ps', ...other], { env: { PATH: programs } });
    assert.equal(up.exitCode, 5, up.stderr);
    assert.match(up.stderr, /haproxy/);
  });

  it('prints errors as JSON when asked to', async () => {
    const result = await machine.run(['-p', 'nosuchproject', 'ps', '--json']);
    const { error } = JSON.parse(result.stderr) as { error: { code: string; fix: string } };
    assert.equal(error.code, 'project-not-found');
    assert.notEqual(error.fix, '');
  });
});

describe('what is in the way', { timeout: 540_000 }, () => {
  it('tells a port that is taken, and by whom, and leaves nothing', async () => {
    await using machine = await openMachine();
    const holder = createServer();
    const port = await new Promise<number>((resolve) => {
      holder.listen(0, '0.0.0.0', () => resolve((holder.address() as { port: number }).port));
    });
    try {
      machine.write(webProject({ port, version: 'one' }));
      const result = await machine.run(['up']);
      assert.equal(result.exitCode, 4, result.stderr);
      assert.match(result.stderr, new RegExp(String(port)));
      assertNoBug(result);
      assert.deepEqual(await leftovers(machine), []);
    } finally {
      holder.close();
    }
  });

  it('refuses a second deploy while one runs, and undoes the first one on Ctrl-C', async () => {
    await using machine = await openMachine();
    const port = await freePort();
    machine.write(webProject({ port, version: 'one' }));
    await machine.must(['up']);
    machine.write(webProject({ port, version: 'two', isHealthy: false }));
    const second = Promise.withResolvers<CommandResult>();
    const first = await machine.run(['deploy', '--json'], {
      onStart: (child) => {
        void waitForLine(child, '"wait-healthy"').then(async () => {
          second.resolve(await machine.run(['deploy']));
          child.kill('SIGINT');
        });
      },
    });
    assert.equal(first.exitCode, 130, first.stderr);
    const refused = await second.promise;
    assert.equal(refused.exitCode, 4, refused.stderr);
    assert.match(refused.stderr, /deploy/);
    assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'version=one\n');
    const view = await machine.json<{ release: number; instances: readonly { role: string }[] }>(['ps']);
    assert.equal(view.release, 1);
    assert.deepEqual([...new Set(view.instances.map(({ role }) => role))], ['current']);
  });

  it('keeps serving when the disk is full', async () => {
    const mount = execFileSync('mktemp', ['-d', '/var/tmp/bascule-small-XXXXXX'], { encoding: 'utf8' }).trim();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', mount]);
    try {
      await using machine = await openMachine({ root: `${mount}/root` });
      const port = await freePort();
      machine.write(webProject({ port, version: 'one' }));
      await machine.must(['up']);
      machine.write({
        ...webProject({ port, version: 'two' }),
        'web/Dockerfile':
          'FROM busybox\nRUN dd if=/dev/zero of=/big bs=1M count=64\nCOPY www /www\nCMD ["httpd", "-f", "-p", "8000", "-h", "/www"]\n',
      });
      const result = await machine.run(['deploy']);
      assert.equal(result.exitCode, 1, result.stderr);
      assert.match(result.stderr, /No space left|disk/i);
      assertNoBug(result);
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'version=one\n');
      machine.write(webProject({ port, version: 'three' }));
      await machine.must(['deploy']);
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'version=three\n');
    } finally {
      execFileSync('umount', ['-l', mount]);
      execFileSync('rmdir', [mount]);
    }
  });
});

function waitForLine(child: ChildProcess, text: string): Promise<void> {
  return new Promise((resolve) => {
    let seen = '';
    child.stderr?.on('data', (data: Buffer) => {
      seen += data.toString('utf8');
      if (seen.includes(text)) resolve();
    });
  });
}

function assertNoBug(result: CommandResult): void {
  assert.doesNotMatch(result.stderr, /unexpected error|This is a bug/);
}

/** Containers and networks of projects that a failed command left on the engine. */
async function leftovers(machine: Machine): Promise<readonly string[]> {
  const status = await machine.json<{ engineSocket: string }>(['daemon', 'status']);
  const ask = (path: string): readonly { Names?: string[]; Name?: string }[] =>
    JSON.parse(
      execFileSync('curl', ['-s', '--unix-socket', status.engineSocket, `http://docker${path}`], { encoding: 'utf8' }),
    ) as readonly { Names?: string[]; Name?: string }[];
  const containers = ask('/containers/json?all=1').flatMap(({ Names }) => Names ?? []);
  const networks = ask('/networks').map(({ Name }) => Name ?? '');
  return [...containers, ...networks.filter((name) => !['bridge', 'host', 'none'].includes(name))];
}
