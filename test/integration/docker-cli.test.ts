import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { cannotRunDockerCli, openTestEngine, type TestEngine } from '../support/docker-engine.ts';
import { waitFor } from '../support/wait.ts';

/** The real docker CLI against Bascule's engine. */
describe('the docker CLI', { skip: cannotRunDockerCli() }, () => {
  let engine: TestEngine;
  before(async () => {
    engine = await openTestEngine();
  });
  after(async () => {
    await engine?.[Symbol.asyncDispose]();
  });
  const must = (...words: string[]): Promise<string> => engine.must(...words);

  describe('docker run', () => {
    it('prints what the container says, on both streams, and takes its exit code', async () => {
      const result = await engine.cli('run', '--rm', 'busybox', 'sh', '-c', 'echo out; echo err >&2; exit 7');
      assert.deepEqual([result.exitCode, result.stdout, result.stderr], [7, 'out\n', 'err\n']);
    });

    it('gives 127 for a command that is not there, 125 for an image that is not', async () => {
      assert.equal((await engine.cli('run', '--rm', 'busybox', 'nosuchcommand')).exitCode, 127);
      const absent = await engine.cli('run', '--rm', '127.0.0.1:1/nosuch:1', 'true');
      assert.equal(absent.exitCode, 125);
      assert.match(absent.stderr, /connection refused/);
    });

    it('passes standard input through, to its end', async () => {
      const text = await withInput(engine, ['run', '--rm', '-i', 'busybox', 'cat'], 'x'.repeat(200_000));
      assert.equal(text.length, 200_000);
    });

    it('hands over environment, folder, user and host name', async () => {
      const words = ['run', '--rm', '-e', 'A=1', '-w', '/tmp', '-u', '7:8', '--hostname', 'h', 'busybox'];
      assert.equal(await must(...words, 'sh', '-c', 'echo $A $(pwd) $(id -u):$(id -g) $(hostname)'), '1 /tmp 7:8 h');
    });

    it('makes file systems that are read-only, in memory, or shared', async () => {
      assert.notEqual((await engine.cli('run', '--rm', '--read-only', 'busybox', 'touch', '/x')).exitCode, 0);
      await must('run', '--rm', '--read-only', '--tmpfs', '/t', 'busybox', 'touch', '/t/x');
      await must('run', '--rm', '-v', 'shared:/v', 'busybox', 'sh', '-c', 'echo kept > /v/file');
      assert.equal(await must('run', '--rm', '-v', 'shared:/v:ro', 'busybox', 'cat', '/v/file'), 'kept');
      assert.equal(await must('volume', 'rm', 'shared'), 'shared');
    });

    it('removes the container after --rm, and its anonymous volumes', async () => {
      await must('run', '--rm', '--name', 'gone', '-v', '/anonymous', 'busybox', 'true');
      const isGone = async (): Promise<boolean> => (await must('ps', '-aq', '--filter', 'name=^gone$')) === '';
      await waitFor(isGone, { timeoutMs: 5_000, what: 'the container is gone' });
      assert.equal(await must('volume', 'ls', '-q'), '');
    });
  });

  describe('a container that runs', () => {
    before(async () => {
      const script = 'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done';
      await must('run', '-d', '--name', 'web', '-l', 'role=web', '-p', '127.0.0.1::80', 'busybox', 'sh', '-c', script);
    });
    after(async () => {
      await engine.cli('rm', '-fv', 'web');
    });

    it('is listed, with its labels and ports', async () => {
      const format = '{{.Names}} {{.Image}} {{.Labels}}';
      assert.equal(await must('ps', '--filter', 'label=role=web', '--format', format), 'web busybox role=web');
      assert.match(await must('port', 'web', '80'), /^127\.0\.0\.1:\d+$/);
    });

    it('is followed by docker logs -f until it ends', async () => {
      await must('run', '-d', '--name', 'talker', 'busybox', 'sh', '-c', 'echo one; sleep 0.3; echo two; sleep 0.3');
      assert.equal(await must('logs', '-f', 'talker'), 'one\ntwo');
      assert.match(await must('logs', '-t', '--tail', '1', 'talker'), /^\d{4}-\d\d-\d\dT[\d:.]+Z two$/);
      await must('rm', '-f', 'talker');
    });

    it('runs further commands, whose output, input and exit codes come back', async () => {
      assert.equal(await must('exec', 'web', 'echo', 'inside'), 'inside');
      assert.equal(await must('exec', '-e', 'X=y', '-w', '/var', 'web', 'sh', '-c', 'echo $X; pwd'), 'y\n/var');
      assert.equal((await engine.cli('exec', 'web', 'sh', '-c', 'exit 5')).exitCode, 5);
      assert.equal(await withInput(engine, ['exec', '-i', 'web', 'cat'], 'through'), 'through');
      assert.ok([126, 127].includes((await engine.cli('exec', 'web', 'nosuch')).exitCode));
    });

    it('gives and takes files', async () => {
      const [from, to] = [join(engine.folder, 'from'), join(engine.folder, 'to')];
      writeFileSync(from, 'data\n');
      await must('cp', from, 'web:/tmp/f');
      assert.equal(await must('exec', 'web', 'cat', '/tmp/f'), 'data');
      await must('cp', 'web:/tmp/f', to);
      assert.equal(readFileSync(to, 'utf8'), 'data\n');
      assert.match(await must('diff', 'web'), /^A \/tmp\/f$/m);
    });

    it('is paused, renamed, stopped with its own signal, started and killed', async () => {
      await must('pause', 'web');
      assert.equal(await must('ps', '--filter', 'status=paused', '--format', '{{.Names}}'), 'web');
      assert.equal((await engine.cli('exec', 'web', 'true')).exitCode, 1);
      await must('unpause', 'web');
      await must('rename', 'web', 'www');
      await must('stop', '-t', '5', 'www');
      assert.equal(await must('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'www'), 'exited 3');
      assert.equal(await must('wait', 'www'), '3');
      await must('start', 'www');
      await must('kill', 'www');
      assert.equal(await must('wait', 'www'), '137');
      await must('rename', 'www', 'web');
    });
  });

  it('connects containers on a network by name and alias', async () => {
    await must('network', 'create', 'front');
    const page = 'echo page > /index.html; exec httpd -f -p 80 -h /';
    await must(
      'run',
      '-d',
      '--name',
      'site',
      '--network',
      'front',
      '--network-alias',
      'www',
      'busybox',
      'sh',
      '-c',
      page,
    );
    const fetch = (name: string) =>
      engine.cli('run', '--rm', '--network', 'front', 'busybox', 'wget', '-qO-', `http://${name}/`);
    await waitFor(async () => (await fetch('site')).stdout === 'page\n', {
      timeoutMs: 10_000,
      what: 'the page by name',
    });
    assert.equal((await fetch('www')).stdout, 'page\n');
    assert.notEqual((await engine.cli('run', '--rm', 'busybox', 'wget', '-T2', '-qO-', 'http://site/')).exitCode, 0);
    assert.match((await engine.cli('network', 'rm', 'front')).stderr, /has active endpoints/);
    await must('network', 'disconnect', 'front', 'site');
    await must('network', 'connect', 'front', 'site');
    await must('rm', '-f', 'site');
    await must('network', 'rm', 'front');
  });

  it('publishes a port', async () => {
    const page = 'echo page > /index.html; exec httpd -f -p 80 -h /';
    await must('run', '-d', '--name', 'open', '-p', '127.0.0.1::80', 'busybox', 'sh', '-c', page);
    const address = await must('port', 'open', '80/tcp');
    const text = async (): Promise<string> => (await fetch(`http://${address}/`)).text();
    assert.equal(await waitFor(() => text().catch(() => ''), { timeoutMs: 10_000, what: 'the page' }), 'page\n');
    await must('rm', '-f', 'open');
  });

  it('builds, runs, saves and loads an image', async () => {
    const context = join(engine.folder, 'context');
    mkdirSync(context);
    writeFileSync(join(context, 'x'), 'X\n');
    writeFileSync(
      join(context, 'Dockerfile'),
      'FROM busybox AS first\nARG V=1\nENV E=$V\nWORKDIR /w\nCOPY x .\nRUN cat x > y && echo $E >> y\n' +
        'FROM busybox\nLABEL l=1\nCOPY --from=first /w/y /y\nUSER 1000\nENTRYPOINT ["cat"]\nCMD ["/y"]\n',
    );
    const transcript = await must('build', '-t', 'app:1', context);
    assert.match(transcript, /^Step 1\/\d+ : FROM busybox/m);
    assert.match(transcript, /Successfully tagged app:1$/);
    assert.match(await must('build', '-t', 'app:1', context), /Using cache/);
    assert.equal(await must('run', '--rm', 'app:1'), 'X\n1');
    const archive = join(engine.folder, 'app.tar');
    await must('save', '-o', archive, 'app:1');
    await must('rmi', '-f', 'app:1');
    assert.match(await must('load', '-i', archive), /Loaded image: app:1/);
    assert.equal(await must('run', '--rm', 'app:1'), 'X\n1');
    assert.match(await must('history', '--format', '{{.CreatedBy}}', 'app:1'), /CMD \["\/y"\]/);
  });

  it('says what is wrong with a build', async () => {
    const context = join(engine.folder, 'broken');
    mkdirSync(context);
    for (const [text, expected] of [
      ['FROM busybox\nRUN exit 4\n', /exit 4|returned a non-zero code: 4/],
      ['FROM busybox\nCOPY nosuch /\n', /nosuch/],
      ['FRM busybox\n', /FRM/],
      ['FROM 127.0.0.1:1/nosuch:1\n', /nosuch:1/],
    ] as const) {
      writeFileSync(join(context, 'Dockerfile'), text);
      const result = await engine.cli('build', context);
      assert.notEqual(result.exitCode, 0, text);
      assert.match(result.stderr, expected);
    }
  });

  it('commits, exports and imports', async () => {
    await must('run', '--name', 'source', 'busybox', 'sh', '-c', 'echo c > /c');
    await must('commit', '-c', 'CMD ["cat","/c"]', 'source', 'committed:1');
    assert.equal(await must('run', '--rm', 'committed:1'), 'c');
    const archive = join(engine.folder, 'root.tar');
    await must('export', '-o', archive, 'source');
    await must('import', '-c', 'CMD ["cat","/c"]', archive, 'imported:1');
    assert.equal(await must('run', '--rm', 'imported:1'), 'c');
    await must('rm', 'source');
  });

  it('tells events in their order', async () => {
    await must('run', '--rm', '--name', 'eventful', 'busybox', 'true');
    const seen = async (): Promise<string> => {
      const until = String(Math.floor(Date.now() / 1_000) + 1);
      return must(
        'events',
        '--since',
        '1m',
        '--until',
        until,
        '--filter',
        'container=eventful',
        '--format',
        '{{.Action}}',
      );
    };
    assert.match(await seen(), /^create\nattach\nstart\ndie\ndestroy$/);
  });
});

/** Runs the CLI with something on its standard input; gives its standard output. */
function withInput(engine: TestEngine, words: readonly string[], input: string): Promise<string> {
  const env = { ...process.env, DOCKER_HOST: `unix://${engine.socket}` };
  const child = spawn('docker', words, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stdin.end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', () => resolve(Buffer.concat(chunks).toString()));
  });
}
