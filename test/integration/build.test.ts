import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, linkSync, mkdirSync, readdirSync, readFileSync, symlinkSync, utimesSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { UserError } from '../../src/lib/errors.ts';
import { type BuildBench, openBuildBench } from '../support/build-bench.ts';
import { waitFor } from '../support/wait.ts';

const skip = process.getuid?.() === 0 ? false : 'it needs root';

describe('builds', { skip, timeout: 540_000 }, () => {
  let bench: BuildBench;
  before(async () => {
    bench = await openBuildBench();
  });
  after(async () => {
    await bench?.[Symbol.asyncDispose]();
  });

  function refused(code: string, pattern: RegExp) {
    return (error: unknown): boolean => {
      assert.ok(error instanceof UserError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(`${error.message}\n${error.fix}`, pattern);
      return true;
    };
  }

  // shows: FROM, RUN, ARG, ENV, WORKDIR, COPY, COPY --from, USER, EXPOSE, VOLUME, LABEL, STOPSIGNAL, HEALTHCHECK, ENTRYPOINT, CMD
  it('builds several stages, takes files from one to the other, and leaves unused stages alone', async () => {
    const { image, output, executed } = await bench.build({
      files: {
        Dockerfile: [
          'ARG BASE=busybox',
          'FROM $BASE AS make',
          'ARG GREETING=hello',
          'ENV WHO="the world"',
          'WORKDIR /made',
          'COPY src/ .',
          'RUN echo "$GREETING, $WHO" > out && cat part >> out',
          'FROM busybox AS unused',
          'RUN exit 1',
          'FROM busybox',
          'COPY --from=make /made/out /opt/',
          'RUN cat /opt/out; id -u',
          'USER 7:8',
          'WORKDIR /home/app',
          'RUN id -u; id -g; pwd; touch mine',
          'EXPOSE 80 53/udp',
          'VOLUME /data',
          'LABEL a=b',
          'STOPSIGNAL SIGINT',
          'HEALTHCHECK --interval=2s CMD true',
          'ENTRYPOINT ["cat"]',
          'CMD ["/opt/out"]',
        ].join('\n'),
        'src/part': 'part\n',
      },
      buildArgs: { GREETING: 'good day' },
      tags: ['app:1', 'app:latest'],
    });
    assert.equal(output, 'good day, the world\npart\n0\n7\n8\n/home/app\n');
    assert.equal(executed.length, 7);
    assert.deepEqual(image.references, ['app:1', 'app:latest']);
    const { Env, ...config } = image.config.config ?? {};
    assert.deepEqual(config, {
      User: '7:8',
      WorkingDir: '/home/app',
      ExposedPorts: { '80/tcp': {}, '53/udp': {} },
      Volumes: { '/data': {} },
      Labels: { a: 'b' },
      StopSignal: 'SIGINT',
      Healthcheck: { Test: ['CMD-SHELL', 'true'], Interval: 2_000_000_000 },
      Entrypoint: ['cat'],
      Cmd: ['/opt/out'],
    });
    assert.equal(Env?.length, 1);
    const history = image.config.history ?? [];
    assert.equal(history.filter((entry) => entry.empty_layer !== true).length, image.config.rootfs.diff_ids.length);
    assert.ok(history.some((entry) => entry.created_by === 'RUN /bin/sh -c cat /opt/out; id -u # buildkit'));
  });

  it('uses every result again, after a restart too, and runs anew from the first change on', async () => {
    const files = {
      Dockerfile: 'FROM busybox\nCOPY a /a\nRUN echo one > /one\nCOPY b /b\nRUN cat /b > /two\n',
      a: 'A',
      b: 'B',
    };
    const first = await bench.build({ files });
    assert.equal(first.executed.length, 4);
    const second = await bench.build({ files });
    assert.deepEqual(second.executed, []);
    assert.equal(second.image.id, first.image.id);
    const changed = await bench.build({ files: { ...files, b: 'C' } });
    assert.deepEqual(changed.executed, ['COPY b /b', 'RUN cat /b > /two']);
    const events: string[] = [];
    const again = await bench.reopenBuilder().build({
      context: { kind: 'directory', path: bench.context(files) },
      dockerfile: 'Dockerfile',
      buildArgs: {},
      labels: {},
      tags: [],
      noCache: false,
      onProgress: (event) => event.kind === 'step-done' && !event.cached && events.push(String(event.step)),
    });
    assert.deepEqual([again.imageId, events], [first.image.id, []]);
    assert.equal((await bench.build({ files, noCache: true })).executed.length, 4);
  });

  it('finds a result by the content of a stage, though the stage was made anew', async () => {
    const dockerfile = (word: string): string =>
      `FROM busybox AS a\nRUN echo ${word} > /log; echo same > /same; touch -d @0 /same\nFROM busybox\nCOPY --from=a /same /\nRUN cat /same\n`;
    await bench.build({ files: { Dockerfile: dockerfile('one') } });
    const second = await bench.build({ files: { Dockerfile: dockerfile('two') } });
    assert.equal(second.executed.length, 1);
  });

  it('copies modes, times, links and owners as the reference does', async () => {
    const context = bench.context({
      'tree/file': 'F',
      'tree/run': 'R',
      'tree/sub/deep': 'D',
      '.dockerignore': 'tree/sub/no*',
      'tree/sub/no': '',
    });
    chmodSync(join(context, 'tree/run'), 0o4751);
    symlinkSync('file', join(context, 'tree/link'));
    linkSync(join(context, 'tree/file'), join(context, 'tree/twin'));
    utimesSync(join(context, 'tree/file'), 1_000_000, 1_000_000);
    const list = String.raw`find /to | sort | while read f; do stat -c "%n %F %a %u:%g $(test -d $f || stat -c %h $f)" $f; done; stat -c %Y /to/file`;
    const { output } = await bench.build({
      context: { kind: 'directory', path: context },
      dockerfileText: `FROM busybox\nRUN mkdir /real && ln -s /real /to\nCOPY tree/ /to\nRUN ${list.replace('/to |', '/real |').replaceAll('/to/', '/real/')}\nCOPY --chown=5:6 --chmod=640 tree/fil? tree/run /own/\nRUN stat -c "%a %u:%g" /own /own/file /own/run\n`,
    });
    assert.deepEqual(
      output.trim().split('\n').sort(),
      [
        '/real directory 755 0:0 ',
        '/real/file regular file 644 0:0 2',
        '/real/link symbolic link 777 0:0 1',
        '/real/run regular file 4751 0:0 1',
        '/real/sub directory 755 0:0 ',
        '/real/sub/deep regular file 644 0:0 1',
        '/real/twin regular file 644 0:0 2',
        '1000000',
        '640 5:6',
        '640 5:6',
        '755 5:6',
      ].sort(),
    );
  });

  it('copies a thousand files by processes, with the same outcome', async () => {
    const names = Array.from({ length: 1_000 }, (_, index) => `d${index % 7}/f ${index}`);
    const context = bench.context(Object.fromEntries(names.map((name) => [name, name])));
    const { output } = await bench.build({
      context: { kind: 'directory', path: context },
      dockerfileText:
        'FROM busybox\nWORKDIR /app\nCOPY --chown=3:4 . .\nRUN find . -type f | wc -l; cat "d1/f 1"; find . -type f ! -user 3 | wc -l\n',
    });
    assert.deepEqual(
      output.split('\n').map((line) => line.trim()),
      ['1000', 'd1/f 10', ''],
    );
  });

  it('never follows a link out of the image', async () => {
    const outside = bench.context({ victim: 'safe' });
    const { output } = await bench.build({
      files: {
        Dockerfile: `FROM busybox\nRUN ln -s ${outside} /escape && ln -s ../../../../../../${outside} /up\nCOPY tree /escape\nCOPY tree /up/\nRUN cat ${outside}/victim\n`,
        'tree/victim': 'inside',
      },
    });
    assert.equal(output, 'inside');
    assert.equal(readFileSync(join(outside, 'victim'), 'utf8'), 'safe');
    await assert.rejects(
      bench.build({ files: { Dockerfile: 'FROM busybox\nCOPY ../x /\n' } }),
      refused('copy-source-missing', /is not in the build context/),
    );
    const context = bench.context({});
    symlinkSync('/etc/passwd', join(context, 'passwd'));
    await assert.rejects(
      bench.build({ context: { kind: 'directory', path: context }, dockerfileText: 'FROM busybox\nCOPY passwd /p\n' }),
      refused('copy-source-missing', /passwd/),
    );
  });

  it('unpacks archives that ADD names, inside the image', async () => {
    const context = bench.context({ 'in/home/added': 'yes' });
    execFileSync('tar', ['-czf', join(context, 'a.tgz'), '-C', join(context, 'in'), 'home']);
    const { output } = await bench.build({
      context: { kind: 'directory', path: context },
      dockerfileText:
        'FROM busybox\nRUN mkdir -p /other && mv /home /other/ && ln -s /other/home /home\nADD a.tgz /\nADD in/home/added /plain\nRUN cat /other/home/added /plain; readlink /home\n',
    });
    assert.equal(output, 'yesyes/other/home\n');
  });

  // shows: here-document in RUN, here-document in COPY
  it('takes here-documents', async () => {
    const { output } = await bench.build({
      files: {
        Dockerfile:
          'FROM busybox\nENV V=7\nCOPY <<one <<"two" /in/\nv=$V\none\nv=$V\ntwo\nRUN <<EOF\ncat /in/one /in/two\nEOF\nRUN <<EOF\n#!/bin/busybox cat\ntext\nEOF\nRUN cat <<EOF | tr a-z A-Z\nloud $V\nEOF\n',
      },
    });
    assert.equal(output, 'v=7\nv=$V\n#!/bin/busybox cat\ntext\nLOUD 7\n');
  });

  // shows: RUN --mount, RUN --mount=type=cache, RUN --mount=type=tmpfs, RUN --mount=type=secret
  it('mounts caches, stages, memory and secrets for a RUN step, and keeps none of it', async () => {
    const dockerfile = (n: number): string =>
      [
        'FROM busybox AS tools',
        'RUN echo tool > /tool',
        'FROM busybox',
        `RUN --mount=type=cache,target=/c,sharing=locked --mount=from=tools,source=/tool,target=/t --mount=type=tmpfs,target=/m --mount=type=secret,id=key echo ${n} >> /c/log; cat /c/log /t /run/secrets/key; touch /m/x`,
        'RUN ls -d /c /t /m /run/secrets 2>/dev/null; true',
      ].join('\n');
    const secrets = { key: Buffer.from('hush\n') };
    assert.equal((await bench.build({ files: { Dockerfile: dockerfile(1) }, secrets })).output, '1\ntool\nhush\n');
    const second = await bench.build({ files: { Dockerfile: dockerfile(2) }, secrets });
    assert.equal(second.output, '1\n2\ntool\nhush\n');
    assert.equal(second.image.config.rootfs.diff_ids.length, 1);
  });

  // shows: RUN --network
  it('gives RUN steps a network, none, or that of the host', async () => {
    const { output } = await bench.build({
      files: {
        Dockerfile:
          'FROM busybox\nRUN ip -o link | wc -l; grep -c nameserver /etc/resolv.conf\nRUN --network=none ip -o link | wc -l\nRUN --network=host hostname >/dev/null\n',
      },
      entitlements: ['network.host'],
    });
    assert.equal(output.split('\n')[0]?.trim(), '2');
    assert.equal(output.split('\n')[2]?.trim(), '1');
  });

  // shows: ONBUILD
  it('runs ONBUILD instructions of the base', async () => {
    await bench.build({
      files: { Dockerfile: 'FROM busybox\nONBUILD COPY here /here\nONBUILD RUN cat /here\n' },
      tags: ['trigger'],
    });
    const { output, image } = await bench.build({ files: { Dockerfile: 'FROM trigger\n', here: 'triggered' } });
    assert.equal(output, 'triggered');
    assert.equal(image.config.config?.OnBuild, undefined);
  });

  it('takes a context as a tar stream, compressed too', async () => {
    const context = bench.context({ Dockerfile: 'FROM busybox\nCOPY f /f\nRUN cat /f\n', f: 'streamed' });
    const tar = execFileSync('tar', ['-cz', '-C', context, '.']);
    const { output } = await bench.build({
      context: { kind: 'tar', stream: Readable.from([tar.subarray(0, 10), tar.subarray(10)]) },
    });
    assert.equal(output, 'streamed');
    await assert.rejects(
      bench.build({ context: { kind: 'tar', stream: Readable.from([tar.subarray(0, 60)]) } }),
      refused('context-invalid', /tar/),
    );
  });

  it('gives the same image for the same SOURCE_DATE_EPOCH', async () => {
    const request = {
      files: { Dockerfile: 'FROM busybox\nCOPY f /f\nRUN mkdir /d && date > /dev/null && touch /d/x\n', f: 'f' },
      sourceDateEpoch: 1_700_000_000,
      noCache: true,
    };
    const first = await bench.build(request);
    await waitFor(() => Date.now() % 1_000 < 100, { timeoutMs: 15_000, what: 'another second' });
    assert.equal((await bench.build(request)).image.id, first.image.id);
  });

  it('says where a step failed, with the command, its code and its last words', async () => {
    await assert.rejects(
      bench.build({ files: { Dockerfile: 'FROM busybox\n\nRUN echo last words; exit 42\n' } }),
      refused('build-step-failed', /Dockerfile:3:1[^]*non-zero code: 42[^]*last words/),
    );
    await assert.rejects(
      bench.build({ files: { Dockerfile: 'FROM busybox\nCOPY nothing /\n' } }),
      refused('copy-source-missing', /Dockerfile:2:1: "nothing" is not in the build context/),
    );
    await assert.rejects(
      bench.build({ files: { Dockerfile: 'FROM busybox\nCOPY x /\n', x: '', '.dockerignore': 'x' } }),
      refused('copy-source-missing', /\.dockerignore excludes it/),
    );
    await assert.rejects(
      bench.build({ files: { Dockerfile: 'FROM nosuchimage:1\n' } }),
      refused('image-not-found', /Dockerfile:1:1: no such image: nosuchimage:1/),
    );
    assert.deepEqual(bench.mountsLeft(), []);
  });

  it('lets steps sync for nothing: what they write is brought to the disk with the layer', async () => {
    const { output } = await bench.build({
      files: { Dockerfile: 'FROM busybox\nRUN sync; grep "^overlay / " /proc/mounts | grep -c volatile\n' },
    });
    assert.equal(output, '1\n');
    assert.deepEqual(bench.mountsLeft(), []);
  });

  it('builds on more layers than the options of one system call can name', async () => {
    const steps = Array.from({ length: 95 }, (_, index) => `COPY a /file-${index}`);
    const Dockerfile = ['FROM busybox', ...steps, 'RUN ls / | grep -c file-'].join('\n');
    const { image, output } = await bench.build({ files: { Dockerfile, a: '' } });
    const names = bench.images.layersOf(image.id).map(({ directory }) => directory);
    assert.ok(names.join(':').length > 4_096);
    assert.equal(output, '95\n');
    assert.deepEqual(bench.mountsLeft(), []);
  });

  it('does a step once for two builds at the same time', async () => {
    const files = { Dockerfile: 'FROM busybox\nRUN sleep 0.3; head -c8 /dev/urandom > /random\n' };
    const [one, two] = await Promise.all([bench.build({ files }), bench.build({ files })]);
    assert.equal(one.image.id, two.image.id);
    assert.equal(one.executed.length + two.executed.length, 1);
  });

  it('ends at once when it is cancelled, and leaves nothing', async () => {
    const cancel = new AbortController();
    const building = bench.build({
      files: { Dockerfile: 'FROM busybox\nRUN echo started; sleep 0.3; echo again; sleep 1000\n' },
      signal: cancel.signal,
      onProgress: (event) => event.kind === 'output' && event.data.includes('again') && cancel.abort(),
    });
    await assert.rejects(building, refused('build-cancelled', /cancelled/));
    assert.deepEqual(bench.mountsLeft(), []);
    assert.deepEqual(await readdir(join(bench.scope.root, 'engine/uppers')), []);
  });

  it('unmounts at the next start what a killed daemon left', async () => {
    const mounts = join(bench.scope.root, 'engine/build/mounts');
    mkdirSync(join(mounts, 'left'));
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', join(mounts, 'left')]);
    const holder = spawn('sleep', ['1000'], { cwd: join(mounts, 'left') });
    await waitFor(() => holder.pid !== undefined, { timeoutMs: 15_000, what: 'a process in the mount' });
    try {
      const builder = bench.reopenBuilder();
      await builder.build({
        context: { kind: 'directory', path: bench.context({ Dockerfile: 'FROM busybox' }) },
        dockerfile: 'Dockerfile',
        buildArgs: {},
        labels: {},
        tags: [],
        noCache: false,
        onProgress() {},
      });
      assert.deepEqual(bench.mountsLeft(), []);
    } finally {
      holder.kill('SIGKILL');
    }
  });

  it('survives SIGKILL: the next start ends the step, unmounts, and goes on from the cache', async () => {
    const seconds = `98765.${process.pid}`;
    const victim = spawn(process.execPath, [join(import.meta.dirname, '../support/build-victim.ts'), seconds], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    victim.stdout.on('data', (data: Buffer) => (said += data.toString()));
    await waitFor(() => said.includes('running'), { timeoutMs: 60_000, what: 'the step runs' });
    victim.kill('SIGKILL');
    await waitFor(() => victim.signalCode !== null, { timeoutMs: 5_000, what: 'it is dead' });
    assert.ok(commandsWith(seconds).length > 0);
    await using next = await openBuildBench(said.split('\n')[0]);
    const Dockerfile = 'FROM busybox\nRUN echo done > /first\nRUN cat /first\n';
    const { output, executed } = await next.build({ files: { Dockerfile } });
    assert.deepEqual([output, executed], ['done\n', ['RUN cat /first']]);
    assert.deepEqual([next.mountsLeft(), commandsWith(seconds)], [[], []]);
    assert.deepEqual(await readdir(join(next.scope.root, 'engine/uppers')), []);
  });

  it('tells what the cache holds, and forgets it', async () => {
    assert.ok(
      (await bench.builder.cacheUsage()).some((record) => record.usageCount > 1 && record.diffId !== undefined),
    );
    const { removed } = await bench.builder.pruneCache({ all: true });
    assert.ok(removed.length > 0);
    assert.deepEqual(await bench.builder.cacheUsage(), []);
  });
});

/** Command lines of this machine's processes that have this word. */
function commandsWith(word: string): readonly string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .map((name) => {
      try {
        return readFileSync(`/proc/${name}/cmdline`, 'utf8');
      } catch {
        return ''; // it has just ended
      }
    })
    .filter((line) => line.split('\0').includes(word));
}
