import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { UserError } from '../../src/lib/errors.ts';
import { type BuildBench, openBuildBench } from '../support/build-bench.ts';
import { waitFor } from '../support/wait.ts';

const skip = process.getuid?.() === 0 ? false : 'it needs root';

/** What builds take beside a folder, and give beside an image in the store. */
describe('inputs and outputs of builds', { skip, timeout: 540_000 }, () => {
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

  /** Another machine with the same base image. */
  async function openBenchWithBase(): Promise<BuildBench> {
    const other = await openBuildBench();
    const archive = new PassThrough();
    await Promise.all([bench.images.save(['busybox'], archive), other.images.load(archive)]);
    return other;
  }

  const FILES = {
    Dockerfile:
      'FROM busybox AS make\nRUN echo made > /made\nFROM scratch\nCOPY --from=make /made /files/made\nCOPY a /files/a\n',
    a: 'A',
  };

  it('writes files into a folder, beside what is there, and as an archive; nothing goes into the store', async () => {
    const out = join(bench.root, 'out');
    const before = bench.images.list().length;
    await bench.export({ files: FILES, outputs: [{ kind: 'local', path: out, owner: { uid: 7, gid: 8 } }] });
    assert.deepEqual([readdirSync(join(out, 'files')), statSync(join(out, 'files/a')).uid], [['a', 'made'], 7]);
    writeFileSync(join(out, 'mine'), 'stays');
    await bench.export({
      files: { ...FILES, a: 'B' },
      outputs: [
        { kind: 'local', path: out },
        { kind: 'tar', path: join(bench.root, 'new/files.tar') },
      ],
    });
    assert.deepEqual(
      ['files/a', 'mine'].map((name) => readFileSync(join(out, name), 'utf8')),
      ['B', 'stays'],
    );
    const names = execFileSync('tar', ['--list', '--file', join(bench.root, 'new/files.tar')], { encoding: 'utf8' });
    assert.equal(names, 'files/\nfiles/a\nfiles/made\n');
    assert.deepEqual(
      readdirSync(bench.root).filter((name) => name.endsWith('.tmp')),
      [],
    );
    assert.equal(bench.images.list().length, before);
    await bench.export({
      files: { Dockerfile: 'FROM scratch\nLABEL a=b' },
      outputs: [{ kind: 'tar', path: join(bench.root, 'none.tar') }],
    });
    assert.equal(execFileSync('tar', ['--list', '--file', join(bench.root, 'none.tar')], { encoding: 'utf8' }), '');
    writeFileSync(join(bench.root, 'file'), '');
    const outputs = [{ kind: 'local' as const, path: join(bench.root, 'file') }];
    await assert.rejects(bench.export({ files: FILES, outputs }), refused('output-no-folder', /is there/));
  });

  it('writes OCI layouts and archives that can be loaded again, as the same image', async () => {
    const layout = join(bench.root, 'layout');
    const [oci, docker] = [join(bench.root, 'oci.tar'), join(bench.root, 'docker.tar')];
    const { image } = await bench.build({
      files: FILES,
      outputs: [
        { kind: 'oci', path: layout, isTar: false, tags: ['one:1'] },
        { kind: 'oci', path: oci, isTar: true, tags: ['two:1'] },
        { kind: 'docker', path: docker, isTar: true, tags: ['three:1'] },
        { kind: 'image', tags: ['stored:1'] },
      ],
    });
    assert.deepEqual(image.references, ['stored:1']);
    await bench.export({
      files: { ...FILES, a: 'other' },
      outputs: [{ kind: 'oci', path: layout, isTar: false, tags: ['one:2'] }],
    });
    const index = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as { manifests: unknown[] };
    assert.equal(index.manifests.length, 2);
    const loaded = [await bench.images.load(createReadStream(oci)), await bench.images.load(createReadStream(docker))];
    assert.deepEqual(
      loaded.flat().map(({ id }) => id),
      [image.id, image.id],
    );
    const named = {
      namedContexts: { again: { kind: 'oci-layout' as const, path: layout, reference: '2' } },
      files: { Dockerfile: 'FROM busybox\nCOPY --from=again /files /files\nRUN cat /files/a /files/made' },
    };
    assert.equal((await bench.build(named)).output, 'othermade\n');
    const nothing = { namedContexts: { again: { kind: 'oci-layout' as const, path: layout, reference: '3' } } };
    await assert.rejects(bench.build({ ...named, ...nothing }), refused('oci-layout-invalid', /no image 3/));
  });

  it('takes results over from a folder, on another machine, and refuses what was changed in it', async () => {
    const cache = join(bench.root, 'cache');
    const files = {
      Dockerfile:
        'FROM busybox AS make\nRUN cat /proc/sys/kernel/random/uuid > /made\nFROM scratch\nCOPY --from=make /made /made\nCOPY a /a\n',
      a: 'A',
    };
    const first = await bench.build({ files, cacheTo: [{ kind: 'local', path: cache, mode: 'max' }] });
    await using elsewhere = await openBenchWithBase();
    const cacheFrom = [{ kind: 'local' as const, path: cache }];
    const second = await elsewhere.build({ files, cacheFrom });
    assert.deepEqual([second.executed, second.image.config.rootfs], [[], first.image.config.rootfs]);
    const afterwards = await elsewhere.build({ files });
    assert.deepEqual(afterwards.executed, []);

    const blobs = join(cache, 'blobs/sha256');
    for (const name of readdirSync(blobs)) {
      const path = join(blobs, name);
      if (statSync(path).size > 2_000) truncateSync(path, 1_024);
    }
    await using third = await openBenchWithBase();
    const { executed, events } = await third.build({ files, cacheFrom });
    assert.equal(executed.length, 3);
    assert.ok(events.some((event) => event.kind === 'warning' && event.code === 'cache-unusable'));
    const nowhere = await third.build({ files, cacheFrom: [{ kind: 'local', path: '/nowhere' }] });
    assert.match(JSON.stringify(nowhere.events), /nothing is there/);
  });

  // shows: FROM, COPY --from
  it('takes folders, images and stages under other names', async () => {
    const more = bench.context({ 'x/y': 'Y', z: 'Z', '.dockerignore': 'z\n' });
    const { output } = await bench.build({
      files: {
        Dockerfile: 'FROM base\nCOPY --from=more . /more\nRUN --mount=from=more,target=/m cat /m/x/y; ls /more',
      },
      namedContexts: { more: { kind: 'directory', path: more }, base: { kind: 'image', reference: 'busybox' } },
    });
    assert.equal(output, 'Yx\n');
  });

  // shows: .dockerignore of a Dockerfile
  it('takes a Dockerfile from a stream, and one outside the context with its own ignore file', async () => {
    const stream = Readable.from([Buffer.from('FROM busybox\nRUN echo from a stream')]);
    assert.equal((await bench.build({ context: { kind: 'tar', stream } })).output, 'from a stream\n');
    const apart = bench.context({
      'App.Dockerfile': 'FROM busybox\nCOPY . /all\nRUN ls /all',
      'App.Dockerfile.dockerignore': 'b\n',
    });
    const { output } = await bench.build({
      files: { a: '', b: '', '.dockerignore': 'a\n' },
      dockerfilePath: join(apart, 'App.Dockerfile'),
    });
    assert.equal(output, 'a\n');
  });

  it('takes a git repository and an archive behind a URL', async () => {
    const repository = bench.context({ 'sub/Dockerfile': 'FROM busybox\nCOPY x /\nRUN cat /x', 'sub/x': 'one\n' });
    const git = (...words: string[]) => execFileSync('git', ['-C', repository, '-c', 'user.name=a', '-c', 'user.email=a@b', ...words]); // prettier-ignore
    git('init', '--quiet', '--initial-branch=main');
    git('add', '.');
    git('commit', '--quiet', '--message=one');
    git('update-server-info');
    execFileSync('tar', ['-czf', join(repository, 'context.tgz'), '-C', join(repository, 'sub'), '.']);
    await using server = await serveFolder(repository);
    const fromGit = await bench.build({ context: { kind: 'remote', url: `${server.url}/.git#main:sub` } });
    assert.equal(fromGit.output, 'one\n');
    const fromTar = await bench.build({ context: { kind: 'remote', url: `${server.url}/context.tgz` }, noCache: true });
    assert.equal(fromTar.output, 'one\n');
    const missing = { kind: 'remote' as const, url: `${server.url}/nothing.tgz` };
    await assert.rejects(bench.build({ context: missing }), refused('context-unreachable', /answered 404/));
    const branch = { kind: 'remote' as const, url: `${server.url}/.git#nobranch` };
    await assert.rejects(bench.build({ context: branch }), refused('git-failed', /nobranch/));
  });

  it('does the steps of one stage anew, and those that stand on them', async () => {
    const files = { Dockerfile: 'FROM busybox AS one\nRUN cat /proc/sys/kernel/random/uuid > /one\nFROM busybox AS two\nRUN echo 2 > /two\nCOPY --from=one /one /\n' }; // prettier-ignore
    await bench.build({ files });
    const { executed } = await bench.build({ files, noCacheStages: ['One'] });
    assert.deepEqual(executed, ['RUN cat /proc/sys/kernel/random/uuid > /one', 'COPY --from=one /one /']);
  });

  it('runs stages side by side', async () => {
    const meet = (own: string, other: string) =>
      `FROM busybox AS ${own}\nRUN --mount=type=cache,id=meet,target=/c touch /c/${own}; n=0; until [ -e /c/${other} ]; do sleep 0.1; n=$((n+1)); [ $n -lt 200 ]; done; touch /${own}\n`;
    const names = ['s1', 's2', 's3', 's4'];
    const stages = names.map((name, index) => meet(name, names[(index + 1) % names.length]!)).join('');
    const copies = names.map((name) => `COPY --from=${name} /${name} /\n`).join('');
    await bench.build({ files: { Dockerfile: `${stages}FROM scratch\n${copies}` }, noCache: true });
  });

  it('does equal steps once, in one build and in several, also when the one that does it is cancelled', async () => {
    const count = join(bench.root, 'engine/build/caches');
    assert.ok(!existsSync(count));
    const step = (word: string) =>
      `RUN --mount=type=cache,id=count,target=/c echo ${word} >> /c/count; sleep 1; wc -l < /c/count`;
    const Dockerfile = `FROM busybox AS a\n${step('x')}\nFROM busybox AS b\n${step('x')}\nFROM busybox\nCOPY --from=a /etc /a\nCOPY --from=b /etc /b\n`;
    const both = await Promise.all([bench.build({ files: { Dockerfile } }), bench.build({ files: { Dockerfile } })]);
    assert.equal(both.map(({ output }) => output).join(''), '1\n');

    const again = `FROM busybox\n${step('y')}`;
    const stop = new AbortController();
    const started = Promise.withResolvers<void>();
    const cancelled = bench.build({
      files: { Dockerfile: again },
      signal: stop.signal,
      onProgress: (event) => event.kind === 'step-started' && event.step === 2 && setTimeout(started.resolve, 300),
    });
    await started.promise;
    const waiting = [1, 2, 3].map(() => bench.build({ files: { Dockerfile: again } }));
    setTimeout(() => stop.abort(), 100);
    await assert.rejects(cancelled, refused('build-cancelled', /cancelled/));
    const outputs = (await Promise.all(waiting)).map(({ output }) => output).filter((text) => text !== '');
    assert.equal(outputs.length, 1);
  });

  // shows: FROM
  it('pulls bases that are not here, and with --pull all of them', async () => {
    const asked: string[] = [];
    const by = bench.reopenBuilder(async (reference, { onOutput }) => {
      asked.push(reference);
      if (reference.startsWith('missing'))
        throw new UserError({
          code: 'pull-failed',
          kind: 'unavailable',
          message: 'the registry is shut',
          fix: 'Open it.',
        });
      onOutput('Pulling');
      const busybox = bench.images.get('busybox');
      bench.images.tag(busybox.id, reference);
      return bench.images.get(reference);
    });
    const files = { Dockerfile: 'FROM far/one:1\nCOPY --from=far/two:1 /etc /two\nFROM busybox\nFROM far/one:1' };
    await bench.build({ by, files });
    assert.deepEqual(asked.splice(0), ['far/one:1']);
    await bench.build({ by, files });
    assert.deepEqual(asked.splice(0), []);
    await bench.build({ by, files: { Dockerfile: 'FROM far/one:1\nCOPY --from=far/two:1 /etc /two' }, pull: true });
    assert.deepEqual(asked.splice(0).toSorted(), ['far/one:1', 'far/two:1']);
    const missing = bench.build({ by, files: { Dockerfile: 'FROM busybox\nCOPY --from=missing:1 / /' } });
    await assert.rejects(
      missing,
      refused('image-not-found', /Dockerfile:2:1.*missing:1; pulling it failed: the registry is shut.*Open it/s),
    );
  });

  it('tells what cache mounts hold, keeps those in use, and prunes the others', async () => {
    const files = (seconds: number) => ({ Dockerfile: `FROM busybox\nRUN --mount=type=cache,id=prune,target=/c head -c 100000 /dev/zero > /c/x; touch /c/ready; sleep ${seconds}` }); // prettier-ignore
    const mounts = async () =>
      (await bench.builder.cacheUsage()).filter(({ description }) => description.includes('"prune"'));
    const stop = new AbortController();
    const running = bench.build({ files: files(60), signal: stop.signal });
    await waitFor(async () => (await mounts()).some(({ sizeBytes }) => sizeBytes >= 100_000), {
      timeoutMs: 20_000,
      what: 'the cache is filled',
    });
    assert.deepEqual(
      (await mounts()).map(({ type, isInUse }) => [type, isInUse]),
      [['exec.cachemount', true]],
    );
    await bench.builder.pruneCache({ all: true });
    assert.equal((await mounts()).length, 1);
    stop.abort();
    await assert.rejects(running);
    const { freedBytes } = await bench.builder.pruneCache({ all: true });
    assert.ok(freedBytes >= 100_000);
    assert.deepEqual(await bench.builder.cacheUsage(), []);
  });

  it('removes at the next start what a killed daemon was writing', async () => {
    const notes = join(bench.scope.root, 'engine/build/unfinished');
    const half = join(bench.root, 'half.0123456789ab.tmp');
    mkdirSync(half);
    mkdirSync(notes, { recursive: true });
    writeFileSync(join(notes, '0123456789ab'), half);
    await bench.build({ by: bench.reopenBuilder(), files: { Dockerfile: 'FROM busybox' } });
    assert.deepEqual([existsSync(half), readdirSync(notes)], [false, []]);
  });

  it('checks a Dockerfile and builds nothing', async () => {
    const seen: string[] = [];
    await bench.builder.check({
      context: { kind: 'directory', path: bench.context({ Dockerfile: 'FROM busybox\nRUN exit 1\n' }) },
      dockerfile: 'Dockerfile',
      buildArgs: { NOBODY: 'x' },
      labels: {},
      tags: [],
      noCache: false,
      onProgress: (event) => seen.push(event.kind === 'warning' ? event.code : event.kind),
    });
    assert.deepEqual(new Set(seen), new Set(['build-arg-unused']));
  });
});

async function serveFolder(directory: string): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer((request, response) => {
    const path = join(directory, resolve('/', decodeURIComponent(new URL(request.url ?? '', 'http://x').pathname)));
    if (existsSync(path) && statSync(path).isFile()) createReadStream(path).pipe(response);
    else response.writeHead(404).end();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
