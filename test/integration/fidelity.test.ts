/**
 * Random trees on every path that files take through the engine, beside what GNU tar and the real docker make of them.
 * BASCULE_FIDELITY_RUNS: how many trees (2); BASCULE_FIDELITY_SEED: the first one's seed, to see a failure again.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createReadStream, createWriteStream, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { after, before, describe, it } from 'node:test';
import { copySources } from '../../src/engine/build/files/copy.ts';
import { selectSource } from '../../src/engine/build/files/select.ts';
import { type ImageRecord, type ImageStore, openImageStore, overlayMountArgv } from '../../src/engine/image/index.ts';
import { openDatabase } from '../../src/lib/database.ts';
import { silentLog } from '../../src/lib/log.ts';
import { type BuildBench, openBuildBench } from '../support/build-bench.ts';
import { isInstalled } from '../support/installed.ts';
import { type Dockerd, startDockerd } from '../support/machine.ts';
import { compareTrees, makeRandomTree, readTree } from '../support/random-tree.ts';
import type { Comparing, Tree, TreeFacts } from '../support/tree-facts.ts';

const skip = process.getuid?.() === 0 ? false : 'it needs root';
const withoutDocker = isInstalled('dockerd') ? false : 'needs dockerd (Debian package docker.io)';
const runs = Number(process.env['BASCULE_FIDELITY_RUNS'] ?? 2);
const firstSeed = Number(process.env['BASCULE_FIDELITY_SEED'] ?? Math.floor(Math.random() * 1e9));
const seeds = Array.from({ length: runs }, (_, index) => firstSeed + index);

const asRoot = (facts: TreeFacts): TreeFacts => ({ ...facts, owner: '0:0' });
const none = (): boolean => false;
/** Docker unpacks nothing but links with a time before 1970, and keeps no attributes of users in a layer. */
const asDocker = (facts: TreeFacts): TreeFacts => ({
  ...facts,
  mtimeNs: facts.mtimeNs < 0n && facts.type !== 'symlink' ? 0n : facts.mtimeNs,
});
/** Its classic builder (BuildKit not) takes set-id bits and capabilities away when it makes files root's. */
const asClassicBuilder = (facts: TreeFacts): TreeFacts => ({
  ...asDocker(facts),
  mode: facts.type === 'directory' ? facts.mode : (Number.parseInt(facts.mode, 8) & 0o1777).toString(8),
});

describe('files survive', { skip, timeout: 900_000 }, () => {
  let bench: BuildBench;
  let folder: string;
  let dockerd: Dockerd | undefined;
  let copies = 0;

  before(async () => {
    folder = mkdtempSync('/var/tmp/bascule-fidelity-');
    const starting =
      withoutDocker === false ? startDockerd(join(folder, 'dockerd'), 'dockerd', { hasNetwork: false }) : undefined;
    bench = await openBuildBench(mkdtempSync('/var/tmp/bascule-fidelity-bench-'));
    dockerd = await starting;
  });
  after(async () => {
    await dockerd?.[Symbol.asyncDispose]();
    await bench?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A context whose folder `tree` is random. */
  function contextOf(seed: number): { readonly context: string; readonly tree: Tree } {
    const context = join(folder, `context-${++copies}`);
    mkdirSync(join(context, 'tree'), { recursive: true });
    makeRandomTree(join(context, 'tree'), { seed, sparseBytes: 3 * 1024 * 1024 });
    return { context, tree: readTree(join(context, 'tree')) };
  }

  async function build(context: string, lines: readonly string[]): Promise<ImageRecord> {
    const dockerfileText = lines.join('\n');
    return (await bench.build({ context: { kind: 'directory', path: context }, dockerfileText })).image;
  }

  function layers(image: ImageRecord, images: ImageStore = bench.images): readonly string[] {
    return images.layersOf(image.id).map(({ directory }) => directory);
  }

  /** The whole of an image as a container sees it. */
  function seen(image: ImageRecord, images: ImageStore = bench.images): Tree {
    const target = join(folder, `mount-${++copies}`);
    mkdirSync(target);
    const [program, ...args] = overlayMountArgv({ lower: layers(image, images), target });
    execFileSync(program, args);
    try {
      return readTree(target);
    } finally {
      execFileSync('umount', [target]);
    }
  }

  async function saved(image: ImageRecord): Promise<string> {
    const path = join(folder, `save-${++copies}.tar`);
    await bench.images.save([image.id], createWriteStream(path));
    return path;
  }

  /** The image in another store, that of a machine without it. */
  async function elsewhere<T>(archive: string, use: (image: ImageRecord, images: ImageStore) => T): Promise<T> {
    const directory = join(folder, `store-${++copies}`);
    mkdirSync(directory);
    const database = openDatabase(join(directory, 'engine.db'));
    const images = await openImageStore({ directory, database, log: silentLog });
    try {
      const [image] = await images.load(createReadStream(archive));
      return use(image!, images);
    } finally {
      await images.close();
      database.close();
    }
  }

  function docker(...words: readonly string[]): string {
    const argv = ['-H', `unix://${dockerd?.socket}`, ...words];
    return execFileSync('docker', argv, {
      env: { ...process.env, DOCKER_BUILDKIT: '0' },
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  }

  /** What GNU tar unpacks. */
  function unpacked(archive: string): Tree {
    const directory = join(folder, `unpacked-${++copies}`);
    mkdirSync(directory);
    const argv = ['-xpf', archive, '-C', directory, '--numeric-owner', '--same-owner', '--warning=no-timestamp'];
    execFileSync('tar', [...argv, '--xattrs', '--xattrs-include=*']);
    return readTree(directory);
  }

  function same(expected: Tree, actual: Tree, o: Comparing): void {
    const differences = compareTrees(expected, actual, o);
    assert.equal(differences.length, 0, differences.slice(0, 20).join('\n'));
  }

  for (const seed of seeds) {
    describe(`with the seed ${seed}`, () => {
      let context: string;
      let tree: Tree;
      let copied: ImageRecord;
      before(async () => {
        ({ context, tree } = contextOf(seed));
        copied = await build(context, ['FROM scratch', 'COPY tree/ /']);
      });

      it('COPY from the context', () => {
        same(tree, readTree(layers(copied)[0]!), { times: 'nanoseconds', expect: asRoot });
      });

      it('COPY of a few files, without a process', async () => {
        const small = join(folder, `context-${++copies}`);
        mkdirSync(join(small, 'tree'), { recursive: true });
        makeRandomTree(join(small, 'tree'), { seed, entries: 30, special: false });
        const image = await build(small, ['FROM scratch', 'COPY --chown=5:6 tree/ /']);
        const expect = (facts: TreeFacts): TreeFacts => ({ ...facts, owner: '5:6' });
        same(readTree(join(small, 'tree')), readTree(layers(image)[0]!), { times: 'nanoseconds', expect });
      });

      it('COPY where Node has no foreign functions', async () => {
        const root = join(folder, `root-${++copies}`);
        mkdirSync(root);
        const found = await selectSource({ directory: context, ignore: undefined }, { path: 'tree' });
        assert.ok(found.kind === 'found');
        const rest = { destination: '/', intoDirectory: true, mode: undefined, time: undefined, now: new Date() };
        await copySources(found.sources, { root, ownership: 'as-source', calls: undefined, ...rest });
        // Attributes and fractions of folders are lost then.
        const expect = (facts: TreeFacts): TreeFacts => (facts.type === 'directory' ? { ...facts, xattrs: [] } : facts);
        same(tree, readTree(root), { times: 'seconds', expect });
      });

      it('ADD of an archive of GNU tar, and COPY from that stage', async () => {
        const argv = ['--format=posix', '--xattrs', '--xattrs-include=*', '--sparse', '-C', join(context, 'tree'), '.'];
        execFileSync('tar', ['-cf', join(context, 'tree.tar'), ...argv]);
        const added = await build(context, ['FROM scratch', 'ADD tree.tar /']);
        same(tree, readTree(layers(added)[0]!), { times: 'nanoseconds' });
        const taken = await build(context, [
          'FROM scratch AS one',
          'ADD tree.tar /in/',
          'FROM scratch',
          'COPY --from=one /in /out',
        ]);
        same(tree, readTree(join(layers(taken)[0]!, 'out')), { times: 'nanoseconds' });
      });

      it('save, and load in another store', async () => {
        const loaded = await elsewhere(await saved(copied), (image, images) => readTree(layers(image, images)[0]!));
        same(tree, loaded, { times: 'seconds', expect: asRoot });
      });

      it('an archive of a layer, for GNU tar', async () => {
        const path = join(folder, `layer-${++copies}.tar`);
        const file = createWriteStream(path);
        await bench.images.writeLayerTar(copied.config.rootfs.diff_ids[0]!, file);
        await finished(file);
        same(tree, unpacked(path), { times: 'seconds', expect: asRoot });
      });

      for (const format of ['posix', 'gnu'] as const) {
        it(`import of an archive of GNU tar (${format})`, async () => {
          const path = join(folder, `import-${++copies}.tar`);
          const xattrs = format === 'posix' ? ['--xattrs', '--xattrs-include=*'] : [];
          execFileSync('tar', ['-cf', path, `--format=${format}`, ...xattrs, '-C', join(context, 'tree'), '.']);
          const image = await bench.images.importRoot(createReadStream(path), {});
          const o = format === 'posix' ? {} : { xattrs: none };
          const times = format === 'posix' ? 'nanoseconds' : 'seconds';
          same(tree, readTree(layers(image)[0]!), { times, ...o });
        });
      }

      it('what a step deletes, replaces, moves and changes', async () => {
        const image = await build(context, [
          'FROM busybox',
          'COPY tree/ /t/',
          `RUN ${changes(seed)}`,
          'RUN rm -rf /t/deep-*/d* /t/[a-f]*3; touch /t/last',
        ]);
        const before = seen(image);
        const after = await elsewhere(await saved(image), seen);
        same(before, after, { times: 'seconds' });
        assert.ok([...before.keys()].some((path) => path.startsWith('t/')));
      });

      it('docker load of what we save', { skip: withoutDocker }, async () => {
        const image = await build(context, ['FROM busybox', 'COPY tree/ /t/', `RUN ${changes(seed)}`]);
        const archive = await saved(image);
        docker('load', '--input', archive);
        const exported = exportOf(image.id);
        same(inT(seen(image)), inT(exported), { times: 'seconds', xattrs: none, expect: asDocker });
        const [diffIds] = [docker('image', 'inspect', '--format', '{{json .RootFS.Layers}}', image.id)];
        assert.deepEqual(JSON.parse(diffIds), image.config.rootfs.diff_ids);
      });

      it('load of what docker builds and saves', { skip: withoutDocker }, async () => {
        execFileSync('sh', ['-c', `printf 'FROM scratch\\nCOPY tree/ /t/\\n' > ${join(context, 'Dockerfile')}`]);
        const id = docker('build', '--quiet', context);
        const path = join(folder, `docker-${++copies}.tar`);
        docker('save', '--output', path, id);
        const theirs = await elsewhere(path, seen);
        const ours = await elsewhere(await saved(await build(context, ['FROM scratch', 'COPY tree/ /t/'])), seen);
        same(inT(ours), inT(theirs), { times: 'seconds', xattrs: none, expect: asClassicBuilder });
      });
    });
  }

  /** What GNU tar makes of `docker export`. */
  function exportOf(id: string): Tree {
    const container = docker('create', id, 'true');
    const path = join(folder, `export-${++copies}.tar`);
    docker('export', '--output', path, container);
    docker('rm', container);
    return unpacked(path);
  }
});

function inT(tree: Tree): Tree {
  return new Map([...tree].filter(([path]) => path.startsWith('t/')).map(([path, facts]) => [path, facts]));
}

/** A script for busybox: of every five names in /t one goes, one is made anew, one moves, one changes, one stays. */
function changes(seed: number): string {
  return [
    'cd /t; n=0; for f in * .[!.]*; do [ -e "./$f" ] || [ -L "./$f" ] || continue; n=$((n + 1))',
    `case $(((n + ${seed % 5}) % 5)) in`,
    '0) rm -rf "./$f";;',
    '1) if [ -d "./$f" ] && [ ! -L "./$f" ]; then rm -rf "./$f"; mkdir "./$f"; echo new > "./$f/new"; fi;;',
    '2) mv "./$f" "./moved-$n";;',
    '3) chown -h 7:8 "./$f"; [ -L "./$f" ] || chmod 751 "./$f";;',
    'esac; done',
  ]
    .join('; ')
    .replaceAll(';;; ', ';; ')
    .replace('do n=$((n + 1)); ', 'do n=$((n + 1)); ')
    .replace('in; ', 'in ');
}
