import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text as textOf } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { createEngine } from '../../src/engine/docker-api/index.ts';
import { UserError } from '../../src/lib/errors.ts';
import { silentLog } from '../../src/lib/log.ts';
import { cannotRunContainers, openTestEngine, type TestEngine } from '../support/docker-engine.ts';
import { waitFor } from '../support/wait.ts';

/** dockerode, and requests of our own, against Bascule's engine. */
describe('the Docker Engine API', { skip: cannotRunContainers() }, () => {
  let engine: TestEngine;
  before(async () => {
    engine = await openTestEngine();
  });
  after(async () => {
    await engine?.[Symbol.asyncDispose]();
  });

  it('listens on a socket for the owner and its group alone', () => {
    assert.equal(statSync(engine.socket).mode & 0o777, 0o660);
  });

  it('answers pings with the headers by which clients negotiate', async () => {
    for (const method of ['GET', 'HEAD']) {
      const { status, headers, text } = await engine.request(method, '/_ping');
      assert.deepEqual([status, headers['api-version'], headers['ostype']], [200, '1.51', 'linux']);
      assert.equal(text, method === 'GET' ? 'OK' : '');
    }
  });

  it('tells that it is Bascule', async () => {
    const { Components, Version } = (await engine.docker.version()) as unknown as {
      Components: { Name: string }[];
      Version: string;
    };
    assert.deepEqual([Components[0]?.Name, Version], ['Bascule', '0.0.0-test']);
  });

  it('refuses a second engine over the same root', async () => {
    await assert.rejects(
      createEngine({ scope: engine.scope, log: silentLog, version: '0' }),
      (error) => error instanceof UserError && error.kind === 'conflict',
    );
  });

  for (const [method, path, status, message, body] of [
    ['GET', '/nosuch', 404, 'page not found'],
    ['GET', '/v1.99/info', 400, 'client version 1.99 is too new. Maximum supported API version is 1.51'],
    ['GET', '/containers/nosuch/json', 404, 'No such container: nosuch'],
    ['POST', '/containers/nosuch/wait', 404, 'No such container: nosuch'],
    ['GET', '/images/nosuch/json', 404, 'No such image: nosuch:latest'],
    ['GET', '/networks/nosuch', 404, 'network nosuch not found'],
    ['GET', '/exec/nosuch/json', 404, 'No such exec instance: nosuch'],
    ['DELETE', '/networks/bridge', 403, 'bridge is a pre-defined network and cannot be removed'],
    ['GET', '/containers/json?filters={"foo":["x"]}', 400, "invalid filter 'foo'"],
    ['POST', '/containers/create', 400, 'invalid JSON: got EOF while reading request body'],
    ['POST', '/containers/create', 404, 'No such image: nosuch:latest', { Image: 'nosuch' }],
    ['POST', '/containers/create?name=a%20b', 400, /Invalid container name \(a b\)/, { Image: 'busybox' }],
    [
      'POST',
      '/containers/create',
      501,
      /HostConfig.CgroupParent/,
      { Image: 'busybox', HostConfig: { CgroupParent: '/x' } },
    ],
    ['GET', '/services', 503, /This node is not a swarm manager/],
    ['POST', '/session', 404, 'page not found'],
    ['POST', '/images/create?fromImage=127.0.0.1:1/nosuch&tag=1', 500, /connection refused$/],
    ['POST', '/build?version=2', 501, /BuildKit/],
  ] as readonly (readonly [string, string, number, string | RegExp, object?])[]) {
    it(`answers ${method} ${path} ${body === undefined ? '' : JSON.stringify(body)} with ${status}`, async () => {
      const answer = await engine.request(method, encodeURI(path).replace('%2520', '%20'), body);
      const said = (JSON.parse(answer.text) as { message: string }).message;
      assert.equal(answer.status, status, said);
      if (typeof message === 'string') assert.equal(said, message);
      else assert.match(said, message);
    });
  }

  it('says that what is asked for holds already', async () => {
    const container = await engine.docker.createContainer({ Image: 'busybox', Cmd: ['sleep', '60'], name: 'already' });
    await container.start();
    assert.equal((await engine.request('POST', `/containers/${container.id}/start`)).status, 304);
    await container.stop({ t: 0 });
    assert.equal((await engine.request('POST', `/containers/${container.id}/stop`)).status, 304);
    await container.remove();
  });

  it('inspects in Docker’s shape', async () => {
    const container = await engine.docker.createContainer({
      Image: 'busybox',
      name: 'inspected',
      Cmd: ['sleep', '60'],
      Env: ['A=1'],
      Labels: { k: 'v' },
      ExposedPorts: { '80/tcp': {} },
      HostConfig: {
        Memory: 64 << 20,
        Binds: ['data:/data'],
        PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
        RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 2 },
      },
    });
    await container.start();
    const info = await container.inspect();
    assert.equal(info.Name, '/inspected');
    assert.equal(info.State.Running, true);
    assert.ok(info.State.Pid > 0);
    assert.equal(info.HostConfig.Memory, 64 << 20);
    assert.deepEqual(info.HostConfig.RestartPolicy, { Name: 'on-failure', MaximumRetryCount: 2 });
    assert.equal(info.Mounts[0]?.Name, 'data');
    assert.match(info.NetworkSettings.Networks['bridge']?.IPAddress ?? '', /^\d+\.\d+\.\d+\.\d+$/);
    assert.match(info.NetworkSettings.Ports['80/tcp']?.[0]?.HostPort ?? '', /^\d+$/);
    const [row] = await engine.docker.listContainers({ filters: { name: ['inspected'] } });
    assert.deepEqual([row?.Names, row?.State, row?.Labels], [['/inspected'], 'running', { k: 'v' }]);
    await container.remove({ force: true, v: true });
  });

  it('streams both outputs and standard input over one connection', async () => {
    const script = 'read line; echo "got $line"; echo bad >&2; cat';
    const container = await engine.docker.createContainer({
      Image: 'busybox',
      Cmd: ['sh', '-c', script],
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
    });
    const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    engine.docker.modem.demuxStream(stream, stdout, stderr);
    stream.on('end', () => {
      stdout.end();
      stderr.end();
    });
    await container.start();
    stream.write('first\nsecond\n');
    stream.end();
    assert.deepEqual(await Promise.all([textOf(stdout), textOf(stderr)]), ['got first\nsecond\n', 'bad\n']);
    assert.equal(((await container.wait()) as { StatusCode: number }).StatusCode, 0);
    await container.remove();
  });

  it('runs commands in a container and keeps their exit codes', async () => {
    const container = await engine.docker.createContainer({ Image: 'busybox', Cmd: ['sleep', '60'] });
    await container.start();
    const exec = await container.exec({ Cmd: ['sh', '-c', 'cat; exit 9'], AttachStdin: true, AttachStdout: true });
    const stream = await exec.start({ hijack: true, stdin: true });
    const output = new PassThrough();
    engine.docker.modem.demuxStream(stream, output, output);
    stream.on('end', () => output.end());
    stream.end('hello');
    assert.equal(await textOf(output), 'hello');
    const info = await exec.inspect();
    assert.deepEqual([info.Running, info.ExitCode], [false, 9]);
    await container.remove({ force: true });
  });

  it('lets go when a client goes away, and goes on', async () => {
    const container = await engine.docker.createContainer({
      Image: 'busybox',
      Cmd: ['sh', '-c', 'while :; do echo x; done'],
    });
    await container.start();
    const logs = await container.logs({ follow: true, stdout: true, stderr: true });
    await new Promise((resolve) => logs.once('data', resolve));
    (logs as unknown as { destroy(): void }).destroy();
    assert.equal((await container.inspect()).State.Running, true);
    await container.remove({ force: true });
  });

  it('tells waiting clients how a container ended, from before its start', async () => {
    const container = await engine.docker.createContainer({ Image: 'busybox', Cmd: ['sh', '-c', 'exit 4'] });
    const ended = container.wait({ condition: 'next-exit' }) as Promise<{ StatusCode: number }>;
    await container.start();
    assert.equal((await ended).StatusCode, 4);
    await container.remove();
  });

  it('streams events live and replays them, each once and in order', async () => {
    const since = Math.floor(Date.now() / 1_000);
    const stream = await engine.docker.getEvents({ since, filters: { label: ['watch=1'] } });
    const actions: string[] = [];
    stream.on('data', (chunk: Buffer) => {
      for (const line of chunk.toString().trim().split('\n'))
        actions.push((JSON.parse(line) as { Action: string }).Action);
    });
    const container = await engine.docker.createContainer({ Image: 'busybox', Cmd: ['true'], Labels: { watch: '1' } });
    await container.start();
    await container.wait();
    await container.remove();
    await waitFor(() => actions.includes('destroy'), { timeoutMs: 5_000, what: 'the last event' });
    (stream as unknown as { destroy(): void }).destroy();
    assert.deepEqual(actions, ['create', 'start', 'die', 'destroy']);
  });

  it('says on the stream why a command cannot start, and keeps an exit code', async () => {
    const container = await engine.docker.createContainer({ Image: 'busybox', Cmd: ['sleep', '60'] });
    await container.start();
    for (const [request, exitCode, message] of [
      [{ Cmd: ['nosuch'] }, 127, /nosuch/],
      [{ Cmd: ['true'], User: 'nobodyhere' }, 126, /unable to find user nobodyhere/],
      [{ Cmd: ['true'], WorkingDir: '/nosuch' }, 127, /\/nosuch/],
    ] as const) {
      const exec = await container.exec({ ...request, Cmd: [...request.Cmd], AttachStderr: true, AttachStdout: true });
      const stream = await exec.start({ hijack: true, stdin: false });
      assert.match(await textOf(stream), message);
      assert.equal((await exec.inspect()).ExitCode, exitCode);
    }
    await container.remove({ force: true });
  });

  it('keeps containers running while the engine is away', async () => {
    const script = 'i=0; while :; do echo $((i=i+1)); sleep 0.05; done';
    const HostConfig = { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] } };
    const container = await engine.docker.createContainer({ Image: 'busybox', Cmd: ['sh', '-c', script], HostConfig });
    await container.start();
    const earlier = await container.inspect();
    await engine.reopen();
    const later = await container.inspect();
    assert.deepEqual([later.State.Running, later.State.Pid], [true, earlier.State.Pid]);
    assert.deepEqual(later.NetworkSettings.Ports, earlier.NetworkSettings.Ports);
    const numbers = (await container.logs({ stdout: true })).toString('latin1').match(/\d+(?=\n)/g) ?? [];
    assert.deepEqual(
      numbers,
      numbers.map((_, index) => String(index + 1)),
    );
    await container.stop({ t: 0 });
    assert.equal((await container.inspect()).State.ExitCode, 137);
    await container.remove();
  });

  it('builds from a folder of this machine without sending it', async () => {
    const { writeFileSync, mkdirSync } = await import('node:fs');
    const context = join(engine.folder, 'local');
    mkdirSync(context);
    writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nCMD ["true"]\n');
    const query = new URLSearchParams({ remote: `file://${context}`, t: 'local:1' });
    const { status, text } = await engine.request('POST', `/build?${query.toString()}`);
    assert.equal(status, 200, text);
    assert.match(text, /"aux":\{"ID":"sha256:[0-9a-f]{64}"\}/);
    await engine.docker.getImage('local:1').remove();
  });
});
