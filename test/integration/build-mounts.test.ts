import assert from 'node:assert/strict';
import { globSync } from 'node:fs';
import { createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { UserError } from '../../src/lib/errors.ts';
import { type BuildBench, openBuildBench } from '../support/build-bench.ts';

const skip = process.getuid?.() === 0 ? false : 'it needs root';

describe('RUN and its mounts', { skip, timeout: 540_000 }, () => {
  let bench: BuildBench;
  before(async () => {
    bench = await openBuildBench();
  });
  after(async () => {
    await bench?.[Symbol.asyncDispose]();
  });

  // shows: RUN --mount=type=bind, RUN --mount=type=bind,from, RUN --mount=type=bind,source, RUN --mount=type=bind,target, RUN --mount=type=bind,readwrite
  it('lets a step write to a bind mount, and keeps nothing of it', async () => {
    const { output, image } = await bench.build({
      files: {
        'src/a': 'a',
        'src/deep/b': 'b',
        Dockerfile: [
          'FROM busybox AS tools',
          'RUN mkdir /t && echo tool > /t/tool',
          'FROM busybox',
          'RUN --mount=type=bind,source=src,target=/src,rw echo changed > /src/a && rm -r /src/deep && echo new > /src/new && ls /src && cat /src/a',
          'RUN --mount=type=bind,source=src,target=/src ls /src /src/deep; cat /src/a; touch /src/x 2>/dev/null || echo read-only',
          'RUN --mount=from=tools,source=/t,target=/t,rw echo mine > /t/tool && cat /t/tool',
          'RUN --mount=from=tools,source=/t/tool,target=/tool,rw echo mine > /tool && cat /tool',
          'RUN --mount=from=tools,source=/t,target=/t cat /t/tool',
        ].join('\n'),
      },
    });
    assert.equal(output, 'a\nnew\nchanged\n/src:\na\ndeep\n\n/src/deep:\nb\naread-only\nmine\nmine\ntool\n');
    assert.equal(image.config.rootfs.diff_ids.length, 1);
    assert.deepEqual(bench.mountsLeft(), []);
  });

  // shows: RUN --mount=type=bind, .dockerignore
  it('hides in a bind mount what .dockerignore excludes', async () => {
    const { output } = await bench.build({
      files: {
        '.dockerignore': 'secret\nmodules\n*/log*\n!modules/kept\n',
        secret: 'x',
        open: 'o',
        'modules/gone/deep': 'x',
        'modules/kept/file': 'k',
        'sub/log.1': 'x',
        'sub/file': 'f',
        Dockerfile:
          'FROM busybox\nRUN --mount=target=/c find /c | sort\nRUN --mount=target=/c,rw echo > /c/secret && ls /c\n',
      },
    });
    assert.equal(
      output,
      [
        ...['/c', '/c/.dockerignore', '/c/Dockerfile', '/c/modules', '/c/modules/kept', '/c/modules/kept/file'],
        ...['/c/open', '/c/sub', '/c/sub/file', 'Dockerfile', 'modules', 'open', 'secret', 'sub', ''],
      ].join('\n'),
    );
  });

  // shows: RUN --mount=type=cache, RUN --mount=type=cache,sharing
  it('gives each of the steps at once a private cache, and one after the other a locked one', async () => {
    const stage = (name: string, sharing: string): string =>
      `FROM busybox AS ${name}\nRUN --mount=type=cache,id=${sharing},target=/c,sharing=${sharing} test ! -e /c/busy || touch /clash; touch /c/busy; sleep 0.5; rm /c/busy; echo ${name} >> /c/log; cat /c/log > /log; touch /done\n`;
    const dockerfile = (sharing: string): string =>
      `${stage('one', sharing)}${stage('two', sharing)}FROM busybox\nCOPY --from=one /log /done /clas[h] /1/\nCOPY --from=two /log /done /clas[h] /2/\nRUN ls /1 /2 | grep clash; cat /1/log /2/log | wc -l\n`;
    const locked = await bench.build({ files: { Dockerfile: dockerfile('locked') }, concurrency: 4 });
    assert.equal(locked.output.trim(), '3');
    const own = await bench.build({ files: { Dockerfile: dockerfile('private') }, concurrency: 4 });
    assert.equal(own.output.trim(), '2');
  });

  // shows: RUN --mount=type=cache,from, RUN --mount=type=cache,source, RUN --mount=type=cache,mode, RUN --mount=type=cache,uid, RUN --mount=type=cache,gid
  it('begins a cache with files of a stage, with its owner and mode else', async () => {
    const { output } = await bench.build({
      files: {
        Dockerfile: [
          'FROM busybox AS seed',
          'RUN mkdir -m 700 /s && echo seeded > /s/file',
          'FROM busybox',
          'RUN --mount=type=cache,target=/c,from=seed,source=/s cat /c/file; stat -c %a /c; echo more >> /c/file',
          'RUN --mount=type=cache,target=/c,from=seed,source=/s cat /c/file',
          'RUN --mount=type=cache,target=/d,uid=5,gid=6,mode=0751 stat -c "%a %u:%g" /d',
        ].join('\n'),
      },
    });
    assert.equal(output, 'seeded\n700\nseeded\nmore\n751 5:6\n');
  });

  // shows: RUN --mount=type=tmpfs, RUN --mount=type=tmpfs,size, RUN --mount=type=secret, RUN --mount=type=secret,env, RUN --mount=type=secret,required, RUN --mount=type=secret,mode, RUN --mount=type=secret,uid, RUN --mount=type=secret,gid
  it('bounds tmpfs, and hands secrets over as files and variables', async () => {
    const { output, image } = await bench.build({
      files: {
        Dockerfile:
          'FROM busybox\nRUN --mount=type=tmpfs,target=/m,size=1m df -k /m | tail -1 | awk \'{print $2}\'; head -c 2000000 /dev/zero > /m/x 2>/dev/null || echo full\nRUN --mount=type=secret,id=k,env=KEY --mount=type=secret,id=k,target=/s,mode=0440,uid=7,gid=8 echo "$KEY"; cat /s; stat -c "%a %u:%g" /s\nRUN echo "KEY=$KEY"; ls /s 2>/dev/null || true\n',
      },
      secrets: { k: Buffer.from('hush') },
    });
    assert.equal(output, '1024\nfull\nhush\nhush440 7:8\nKEY=\n');
    assert.doesNotMatch(JSON.stringify(image.config), /hush/);
    await assert.rejects(
      bench.build({ files: { Dockerfile: 'FROM busybox\nRUN --mount=type=secret,id=none,required=true true\n' } }),
      isError('secret-missing', /none/),
    );
  });

  // shows: RUN --mount=type=ssh, RUN --mount=type=ssh,id, RUN --mount=type=ssh,required, RUN --mount=type=ssh,mode, RUN --mount=type=ssh,uid
  it('forwards an SSH agent, which belongs to whom the Dockerfile says', async () => {
    const socket = join(bench.root, 'agent');
    const agent = createServer((client) => client.on('data', (data) => client.end(`agent got ${data.toString()}`)));
    await new Promise<void>((resolve) => agent.listen(socket, () => resolve()));
    try {
      const answers: Promise<string>[] = [];
      const Dockerfile =
        'FROM busybox\nRUN --mount=type=ssh,uid=7,mode=0660 echo $SSH_AUTH_SOCK; stat -c "%F %a %u" $SSH_AUTH_SOCK; sleep 1\nRUN --mount=type=ssh,id=other echo "sock=$SSH_AUTH_SOCK"\n';
      const { output } = await bench.build({
        files: { Dockerfile },
        ssh: { default: socket },
        onProgress: (event) => event.kind === 'output' && answers.length === 0 && answers.push(ask(forwarded(bench))),
      });
      assert.equal(output, '/run/buildkit/ssh_agent.0\nsocket 660 7\nsock=\n');
      assert.equal(await answers[0], 'agent got hello');
      assert.throws(() => forwarded(bench));
    } finally {
      agent.close();
    }
    const files = { Dockerfile: 'FROM busybox\nRUN --mount=type=ssh,required=true true\n' };
    await assert.rejects(bench.build({ files }), isError('ssh-missing', /default/));
  });

  // shows: RUN --security
  it('gives privileges only where the build may have them', async () => {
    const command =
      'mkdir -p /x && mount -t tmpfs none /x && grep -c " /x " /proc/mounts; test -e /dev/kmsg && echo devices';
    const files = { Dockerfile: `FROM busybox\nRUN --security=insecure ${command}\n` };
    await assert.rejects(bench.build({ files }), isError('entitlement-missing', /--security=insecure/));
    const { output } = await bench.build({ files, entitlements: ['security.insecure'] });
    assert.equal(output, '1\ndevices\n');
    await assert.rejects(bench.build({ files }), isError('entitlement-missing', /Dockerfile:2:1/));
    const sandbox = await bench.build({
      files: { Dockerfile: 'FROM busybox\nRUN --security=sandbox mount -t tmpfs none /tmp || echo refused\n' },
    });
    assert.match(sandbox.output, /refused/);
  });

  it('ends a step that waits for a cache when the build is cancelled', async () => {
    const cancel = new AbortController();
    const holder = 'FROM busybox AS a\nRUN --mount=type=cache,id=held,target=/c,sharing=locked echo held; sleep 1000\n';
    const waiter = 'FROM busybox AS b\nRUN --mount=type=cache,id=held,target=/c,sharing=locked true\n';
    const building = bench.build({
      files: { Dockerfile: `${holder}${waiter}FROM busybox\nCOPY --from=a / /a\nCOPY --from=b / /b\n` },
      signal: cancel.signal,
      onProgress: (event) => event.kind === 'output' && cancel.abort(),
    });
    await assert.rejects(building, isError('build-cancelled', /cancelled/));
    assert.deepEqual(bench.mountsLeft(), []);
  });
});

/** The socket that a step sees, as it is on this host: nothing in busybox speaks to one. */
function forwarded({ scope }: BuildBench): string {
  const [socket] = globSync(join(scope.root, 'engine/build/temporary/*/agent'));
  if (socket === undefined) throw new Error('no socket');
  return socket;
}

function ask(socket: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = createConnection(socket, () => client.write('hello')).on('error', reject);
    client.on('data', (data) => resolve(data.toString()));
  });
}

function isError(code: string, pattern: RegExp) {
  return (error: unknown): boolean => {
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, pattern);
    return true;
  };
}
