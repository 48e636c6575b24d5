import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  createReadStream,
  createWriteStream,
  linkSync,
  mkdirSync,
  mkdtempSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type BuildBench, openBuildBench } from '../support/build-bench.ts';
import { startFileServer } from '../support/file-server.ts';

const skip = process.getuid?.() === 0 ? false : 'it needs root';
const EPOCH = 1_700_000_000;

/** Two machines: two roots on two file systems, with the same base. */
describe('the same inputs and SOURCE_DATE_EPOCH', { skip, timeout: 540_000 }, () => {
  let one: BuildBench;
  let two: BuildBench;
  before(async () => {
    [one, two] = await Promise.all([openBuildBench(), openBuildBench(mkdtempSync('/var/tmp/bascule-other-place-'))]);
    const root = join(one.root, 'base');
    mkdirSync(join(root, 'bin'), { recursive: true });
    execFileSync('cp', ['/bin/busybox', join(root, 'bin/busybox')]);
    execFileSync('chroot', [root, '/bin/busybox', '--install', '-s', '/bin']);
    const base = join(one.root, 'base.tar');
    execFileSync('tar', ['-cf', base, '--mtime=@1000', '--sort=name', '-C', root, '.']);
    await one.images.importRoot(createReadStream(base), { references: ['base:1'], config: { Env: ['PATH=/bin'] } });
    const moved = join(one.root, 'moved.tar');
    await one.images.save(['base:1'], createWriteStream(moved));
    await two.images.load(createReadStream(moved));
  });
  after(async () => {
    await one?.[Symbol.asyncDispose]();
    await two?.[Symbol.asyncDispose]();
  });

  const DOCKERFILE = [
    'FROM base:1 AS make',
    'ARG SOURCE_DATE_EPOCH',
    'WORKDIR /work',
    'COPY src/ .',
    'RUN mkdir out && for f in *; do cp "$f" out/; done; ln out/a out/b2; rm -rf sub; date > /dev/null; echo $SOURCE_DATE_EPOCH > epoch',
    'FROM base:1',
    'COPY --from=make /work/out /opt/',
    'COPY --link --chown=3:4 src/sub /linked/',
    'COPY --parents --chmod=u=rwX,go=rX src/./sub/*/file /parents/',
    'ADD archive.tar /archive/',
    'COPY <<EOF /inline',
    'text',
    'EOF',
    'RUN rm /opt/c; touch /bin/new; mkdir -p /a/b/c',
    'LABEL a=b',
  ].join('\n');

  /** The same files by another hand, in another order, at another time. */
  function context(bench: BuildBench, o: { readonly names: readonly string[]; readonly time: number }): string {
    const path = bench.context({});
    mkdirSync(join(path, 'src/sub/x'), { recursive: true });
    for (const name of o.names) {
      writeFileSync(join(path, 'src', name), `content of ${name}`);
      utimesSync(join(path, 'src', name), o.time, o.time + Math.random());
      chmodSync(join(path, 'src', name), 0o644);
    }
    writeFileSync(join(path, 'src/sub/x/file'), 'deep');
    symlinkSync('../a', join(path, 'src/sub/link'));
    linkSync(join(path, 'src/a'), join(path, 'src/twin'));
    execFileSync('tar', [
      '-cf',
      join(path, 'archive.tar'),
      '--mtime=@5',
      '--sort=name',
      '--owner=0',
      '--group=0',
      '-C',
      join(path, 'src'),
      'a',
      'c',
    ]);
    for (const folder of ['src/sub/x', 'src/sub', 'src', 'archive.tar']) utimesSync(join(path, folder), o.time, o.time);
    return path;
  }

  async function built(
    bench: BuildBench,
    o: { readonly names: readonly string[]; readonly time: number },
  ): Promise<readonly string[]> {
    const { image } = await bench.build({
      context: { kind: 'directory', path: context(bench, o) },
      dockerfileText: DOCKERFILE,
      buildArgs: { SOURCE_DATE_EPOCH: String(EPOCH) },
      noCache: o.time % 2 === 0,
    });
    return [...image.config.rootfs.diff_ids, image.id];
  }

  it('give the same digests in another place, on another day, with and without the cache', async () => {
    const first = await built(one, { names: ['a', 'b', 'c'], time: 1_600_000_001 });
    const again = await built(one, { names: ['c', 'b', 'a'], time: 1_800_000_000 });
    assert.deepEqual(again, first);
    assert.deepEqual(await built(two, { names: ['b', 'c', 'a'], time: 1_650_000_003 }), first);
    assert.deepEqual(await built(two, { names: ['a', 'c', 'b'], time: 1_750_000_004 }), first);
  });

  it('do not take results that were made without it', async () => {
    const files = { Dockerfile: 'FROM base:1\nCOPY f /f\nRUN stat -c %Y /f\n', f: 'x' };
    const without = await one.build({ files });
    const dated = await one.build({ files, sourceDateEpoch: EPOCH });
    assert.notEqual(without.image.id, dated.image.id);
    assert.equal(dated.output, `${EPOCH}\n`);
    assert.equal(dated.image.config.created, new Date(EPOCH * 1_000).toISOString());
  });

  it('give a fetched file that time, too', async () => {
    await using server = await startFileServer(() => ({ body: 'x' }));
    const { output } = await one.build({
      files: { Dockerfile: `FROM base:1\nADD ${server.url}/f /f\nRUN stat -c %Y /f\n` },
      sourceDateEpoch: EPOCH,
    });
    assert.equal(output, `${EPOCH}\n`);
  });
});
