import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { run } from '../../src/lib/process.ts';
import { cannotRunDockerCli, openTestEngine } from '../support/docker-engine.ts';
import { isInstalled } from '../support/installed.ts';
import { freePort } from '../support/free-port.ts';
import { importBusybox, startDockerd } from '../support/machine.ts';

const skip = cannotRunDockerCli() || (isInstalled('dockerd') ? false : 'needs dockerd');

interface Side {
  readonly name: string;
  /** Starts the engine with the image `busybox`; gives its socket. */
  open(undo: AsyncDisposableStack, folder: string): Promise<string>;
}

/** Each client does the same on a real dockerd, so that what is expected is proven right. */
const SIDES: readonly Side[] = [
  { name: 'the embedded engine', open: async (undo) => undo.use(await openTestEngine()).socket },
  {
    name: 'dockerd',
    async open(undo, folder) {
      const { socket } = undo.use(await startDockerd(join(folder, 'dockerd')));
      importBusybox(socket, folder);
      return socket;
    },
  },
];

type Mistake = readonly [method: string, path: string, status: string, message: string, body?: string];

const create = (status: string, message: string, body: object): Mistake => [
  'POST',
  '/containers/create',
  status,
  message,
  JSON.stringify({ Image: 'busybox', ...body }),
];

const STATES = 'none, starting, healthy, unhealthy';

/** What an API is asked wrongly, and what it answers. */
const MISTAKES: readonly Mistake[] = [
  ['POST', '/containers/ID/unpause', '500', 'Container ID is not paused'],
  ['POST', '/containers/ID/resize?h=a', '400', 'invalid resize height "a": invalid syntax'],
  ['PUT', '/containers/ID/archive?path=/bin/busybox', '400', 'extraction point is not a directory'],
  ['GET', '/containers/json?filters={"label":"a"}', '400', 'invalid filter'],
  ['GET', '/containers/json?filters={"is-task":["x"]}', '400', "invalid filter 'is-task=[x]'"],
  [
    'GET',
    '/containers/json?filters={"health":["foo"]}',
    '400',
    `invalid filter 'health=foo': invalid value for health (foo): must be one of ${STATES}`,
  ],
  [
    'GET',
    '/containers/json?filters={"exited":["abc"]}',
    '400',
    `invalid filter 'exited=abc': strconv.Atoi: parsing "abc": invalid syntax`,
  ],
  ['GET', '/volumes?filters={"dangling":["x"]}', '400', "invalid filter 'dangling=[x]'"],
  ['POST', '/networks/bridge/connect', '400', 'invalid name or ID supplied: ""', '{}'],
  ['POST', '/commit', '400', 'invalid name or ID supplied: ""', '{}'],
  create('400', 'invalid CPU shares (-1): value must be a positive integer', { HostConfig: { CpuShares: -1 } }),
  create('400', 'Invalid value 2000, range for oom score adj is [-1000, 1000]', { HostConfig: { OomScoreAdj: 2_000 } }),
  create('400', 'SHM size can not be less than 0', { HostConfig: { ShmSize: -1 } }),
  create('400', "invalid isolation (hyperv): linux only supports 'default'", { HostConfig: { Isolation: 'hyperv' } }),
  create('400', 'invalid PID mode: foo', { HostConfig: { PidMode: 'foo' } }),
  create('400', 'invalid IPC mode: foo', { HostConfig: { IpcMode: 'foo' } }),
  create('400', 'invalid UTS mode: foo', { HostConfig: { UTSMode: 'foo' } }),
  create('400', 'bad format for add-host: "abc"', { HostConfig: { ExtraHosts: ['abc'] } }),
  create('400', 'invalid environment variable: =x', { Env: ['=x'] }),
  create('400', 'invalid network mode: invalid container format container:<name|id>', {
    HostConfig: { NetworkMode: 'container:' },
  }),
  create('400', "invalid restart policy: maximum retry count can only be used with 'on-failure'", {
    HostConfig: { RestartPolicy: { Name: 'always', MaximumRetryCount: 2 } },
  }),
  create('400', 'invalid mount config for type "volume": field Target must not be empty', {
    HostConfig: { Mounts: [{ Type: 'volume' }] },
  }),
  create('400', 'invalid mount config for type "foo": mount type unknown', {
    HostConfig: { Mounts: [{ Type: 'foo', Target: '/x' }] },
  }),
  create('400', 'invalid mount config for type "tmpfs": field Source must not be specified', {
    HostConfig: { Mounts: [{ Type: 'tmpfs', Target: '/x', Source: 'y' }] },
  }),
];

for (const side of SIDES) {
  describe(`other clients with ${side.name}`, { skip, timeout: 540_000 }, () => {
    const undo = new AsyncDisposableStack();
    const folder = mkdtempSync('/var/tmp/bascule-clients-');
    let socket: string;
    before(async () => {
      undo.defer(() => rmSync(folder, { recursive: true, force: true }));
      socket = await side.open(undo, folder);
    });
    after(() => undo.disposeAsync());

    const call = async (argv: readonly [string, ...string[]], cwd = folder): Promise<string> => {
      const env = { DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: join(folder, 'config'), DOCKER_BUILDKIT: '0' };
      const { exitCode, stdout, stderr } = await run(argv, {
        ...{ cwd, timeoutMs: 120_000 },
        env: { ...process.env, ...env, COMPOSE_DOCKER_CLI_BUILD: '0', TESTCONTAINERS_RYUK_DISABLED: 'true' },
      });
      assert.equal(exitCode, 0, `${argv.join(' ')}: ${stderr}${stdout}`);
      return stdout;
    };

    it('testcontainers starts, asks, copies into, builds and stops containers', async () => {
      const context = join(folder, 'built');
      mkdirSync(context);
      writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nRUN echo built > /b\nCMD ["cat", "/b"]\n');
      const job = join(import.meta.dirname, '../support/testcontainers-job.ts');
      const said = JSON.parse(await call([process.execPath, job, context])) as unknown;
      assert.deepEqual(said, { page: 'hello\n', output: 'copied', exitCode: 0, said: 'built\n', again: 'hello\n' });
      assert.equal(await call(['docker', 'ps', '-aq']), '');
    });

    it('a WebSocket carries input and output of a container, and ends with it', async () => {
      const script = 'read word; echo "said $word"; exit 3';
      const id = (await call(['docker', 'create', '--interactive', 'busybox', 'sh', '-c', script])).trim();
      const streams = 'stream=1&stdin=1&stdout=1&stderr=1';
      const client = new WebSocket(`ws+unix://${socket}:/containers/${id}/attach/ws?${streams}`);
      const pieces: Buffer[] = [];
      client.on('message', (data: Buffer) => pieces.push(data));
      const closed = once(client, 'close');
      await once(client, 'open');
      await call(['docker', 'start', id]);
      client.send('hello\n');
      await closed;
      assert.equal(Buffer.concat(pieces).toString(), 'said hello\n');
      assert.equal(await call(['docker', 'wait', id]), '3\n');
      const plain = ['--silent', '--unix-socket', socket, '--output', '/dev/null', '--write-out', '%{http_code}'];
      assert.equal(await call(['curl', ...plain, `http://docker/containers/${id}/attach/ws`]), '400');
      await call(['docker', 'rm', id]);
    });

    it('docker copies large files in and out as they are', async () => {
      const id = (await call(['docker', 'run', '--detach', 'busybox', 'sleep', '1000'])).trim();
      const large = randomBytes(3 * 1024 * 1024 + 5);
      mkdirSync(join(folder, 'tree'));
      for (const name of ['large', 'tree/large']) writeFileSync(join(folder, name), large, { mode: 0o640 });
      const [sum = ''] = (await call(['sha256sum', 'large'])).split(' ');
      await call(['docker', 'cp', 'tree', `${id}:/tree`]);
      await call(['docker', 'cp', 'large', `${id}:/tree/again`]);
      for (const name of ['/tree/large', '/tree/again'])
        assert.equal(await call(['docker', 'exec', id, 'sha256sum', name]), `${sum}  ${name}\n`);
      assert.equal(await call(['docker', 'exec', id, 'stat', '-c', '%a', '/tree/again']), '640\n');
      await call(['docker', 'cp', `${id}:/tree`, 'out']);
      assert.ok(readFileSync(join(folder, 'out/again')).equals(large));
      await call(['docker', 'rm', '--force', id]);
    });

    it('curl learns by status and words what is wrong with a request', async (t) => {
      const about = await call(['curl', '--silent', '--unix-socket', socket, 'http://docker/version']);
      const { ApiVersion } = JSON.parse(about) as { ApiVersion: string };
      if (Number(ApiVersion.split('.')[1]) < 51) {
        t.skip(`the words are those of Docker 28.5 (API 1.51), this one speaks ${ApiVersion}`);
        return;
      }
      const id = (await call(['docker', 'create', 'busybox', 'true'])).trim();
      for (const [method, path, status, message, body] of MISTAKES) {
        const place = `http://docker${path.replace('ID', id)}`;
        const sent = body === undefined ? [] : ['--header', 'Content-Type: application/json', '--data', body];
        const words = [
          '--silent',
          '--globoff',
          '--unix-socket',
          socket,
          '--request',
          method,
          '--write-out',
          '\\n%{http_code}',
        ];
        const [said = '', code] = (await call(['curl', ...words, ...sent, place])).trimEnd().split(/\n(?=\d+$)/);
        const told = (JSON.parse(said) as { message: string }).message.replace(id, 'ID');
        assert.deepEqual([code, told], [status, message], `${method} ${path} ${body}`);
      }
      await call(['docker', 'rm', id]);
    });

    it(
      'docker-compose builds, starts, scales, runs one-off commands and cleans up',
      { skip: isInstalled('docker-compose') ? false : 'needs docker-compose' },
      async () => {
        const project = join(folder, 'shop');
        const port = await freePort();
        mkdirSync(project);
        writeFileSync(join(project, 'Dockerfile'), 'FROM busybox\nRUN echo page > /index.html\nEXPOSE 80\n');
        writeFileSync(join(project, 'docker-compose.yml'), composeFile(port));
        const compose = (...words: string[]): Promise<string> => call(['docker-compose', ...words], project);
        await compose('up', '-d');
        assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'page\n');
        assert.equal(await compose('exec', '-T', 'app', 'wget', '-qO-', 'http://web/'), 'page\n');
        assert.equal(await compose('run', '--rm', '-T', 'app', 'wget', '-qO-', 'http://web/'), 'page\n');
        await compose('up', '-d', '--scale', 'app=3');
        assert.equal((await compose('ps', '-q', 'app')).trim().split('\n').length, 3);
        assert.match(await compose('logs', '--no-color', 'web'), /serving/);
        assert.match(await compose('port', 'web', '80'), new RegExp(`:${port}$`, 'm'));
        await compose('stop');
        await compose('start');
        await compose('down', '--volumes');
        assert.equal(await call(['docker', 'ps', '-aq']), '');
        assert.equal(await call(['docker', 'volume', 'ls', '-q']), '');
      },
    );
  });
}

function composeFile(port: number): string {
  return `version: "3"
services:
  web:
    build: .
    command: sh -c 'echo serving; exec httpd -f -p 80'
    ports: ["${port}:80"]
    volumes: ["data:/data"]
    stop_grace_period: 0s
  app:
    image: busybox
    command: sleep 1000
    depends_on: [web]
    stop_grace_period: 0s
volumes:
  data: {}
`;
}
