import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { UserError } from '../../lib/errors.ts';
import { run, runOrThrow } from '../../lib/process.ts';
import type { Layer } from '../image/index.ts';
import { noFolder, openBelow } from './archive-folder.ts';
import { guardArchive } from './archive-guard.ts';
import { unpackTar, writeTar } from './archive-streams.ts';
import { exclusively, isUp, type Entry } from './containers.ts';
import { pathNotFound } from './errors.ts';
import type { Change, PathStat, TarOptions } from './face.ts';
import type { Host } from './host.ts';
import { resolveInRoot } from '../../lib/root-path.ts';
import { mountRoot, unmountContainer } from './root-mount.ts';

/** Reading and writing a container's files from outside, whether it runs or not. */
export class ContainerFiles {
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  async stat(entry: Entry, path: string): Promise<PathStat> {
    return this.#withRoot(entry, async (root) => statIn(root, path, entry.spec.name));
  }

  /** Until the tar has ended no other operation touches a container that does not run. */
  async copyOut(entry: Entry, path: string, o: TarOptions<[stat: PathStat]>): Promise<void> {
    await this.#withRoot(entry, async (root) => {
      const stat = await statIn(root, path, entry.spec.name);
      const place = await resolveInRoot(root, path, !/\/\.?$/.test(path));
      const sink = await o.begin(stat);
      await writeTar(sink, { args: copyArguments({ root, place, path }), signal: o.signal });
    });
  }

  /** Docker's `docker export`: the container's own root, without what is mounted in it; names are without `./`. */
  async exportRoot(entry: Entry, o: TarOptions<[]>): Promise<void> {
    await this.#withRoot(entry, async () => {
      const { root } = entry.paths;
      const names = await readdir(root, { encoding: 'buffer' });
      const args = ['--one-file-system', '--directory', root, '--null', '--verbatim-files-from', '--files-from=-'];
      const input = Buffer.concat(names.sort(Buffer.compare).flatMap((name) => [name, Buffer.of(0)]));
      await writeTar(await o.begin(), { args, input, signal: o.signal });
    });
  }

  async copyIn(entry: Entry, path: string, tar: Readable): Promise<void> {
    await this.#withRoot(entry, async (root) => {
      const directory = await resolveInRoot(root, path);
      await using opened = await openBelow(root, directory);
      if (opened === undefined) throw await noFolder(directory, pathNotFound(path, entry.spec.name));
      await unpackTar(opened, { tar, guard: guardArchive(root, directory) });
    });
  }

  /** Compares the container's own layer with the image (`docker diff`). Folders that were made anew are `modified`. */
  async changes(entry: Entry): Promise<readonly Change[]> {
    const layers = this.#host.images.layersOf(entry.spec.imageId).map((layer) => layer.directory);
    const mountPoints = mountPointsOf(entry);
    const changes: Change[] = [];
    for (const { path, deleted } of await walk(entry.paths.upper, '')) {
      const below = await isInLayers(layers.toReversed(), path);
      if (!below && (deleted || mountPoints.has(path))) continue;
      changes.push({ path, kind: deleted ? 'deleted' : below ? 'modified' : 'added' });
    }
    return changes.filter((change) => !isTouchedByMounts(change, { changes, mountPoints }));
  }

  async sizeOf(entry: Entry): Promise<number> {
    const { stdout } = await runOrThrow(['du', '--summarize', '--bytes', entry.paths.upper]);
    return Number(stdout.split('\t')[0]);
  }

  async seal(entry: Entry): Promise<Layer | undefined> {
    const { images } = this.#host;
    const upper = await images.newUpper();
    try {
      await runOrThrow(['cp', '--archive', '--no-target-directory', entry.paths.upper, upper.directory]);
      if (!(await images.isEmpty(upper))) return await images.seal(upper);
    } catch (error) {
      await images.discard(upper).catch(() => {});
      throw error;
    }
    await images.discard(upper);
    return undefined;
  }

  /** A running container is seen through its first process, mounts and all; another is mounted for the time. */
  async #withRoot<T>(entry: Entry, work: (root: string) => Promise<T>): Promise<T> {
    if (isUp(entry) && entry.state.init !== undefined) return work(`/proc/${entry.state.init.pid}/root`);
    return exclusively(entry, async () => {
      await mountRoot(this.#host, entry);
      try {
        return await work(entry.paths.root);
      } finally {
        await unmountContainer(this.#host, entry);
      }
    });
  }
}

/** `folder/.`: what is in it, without the folder's own name. */
function namesContents(path: string): boolean {
  return /(?:^|\/)\.$/.test(path);
}

interface CopyPlace {
  readonly root: string;
  readonly place: string;
  /** As the client gave it. */
  readonly path: string;
}

/** Names in the archive are Docker's. Of a whole root what the kernel shows in it is left out. */
function copyArguments({ root, place, path }: CopyPlace): readonly string[] {
  if (place === root) {
    const names = namesContents(path) ? [] : ['--absolute-names', '--transform=flags=rh;s,^\\.\\(/\\|$\\),/,'];
    const kernel = ['proc', 'sys', 'dev'].map((name) => `--exclude=./${name}/*`);
    return [...names, ...kernel, '--directory', root, '--', '.'];
  }
  if (namesContents(path)) return ['--directory', place, '--', '.'];
  return ['--directory', dirname(place), '--', basename(place)];
}

async function statIn(root: string, path: string, containerName: string): Promise<PathStat> {
  const place = await resolveInRoot(root, path, !/\/\.?$/.test(path));
  const found = await (place === root ? stat(root) : lstat(place)).catch(() => undefined);
  if (found === undefined) throw pathNotFound(path, containerName);
  return {
    name: namesContents(path) ? '.' : place === root ? '/' : basename(place),
    sizeBytes: found.size,
    mode: found.mode,
    modifiedAt: found.mtime,
    linkTarget: found.isSymbolicLink() ? await readlink(place) : '',
  };
}

interface Found {
  readonly path: string;
  readonly deleted: boolean;
}

async function walk(upper: string, path: string): Promise<readonly Found[]> {
  const found: Found[] = [];
  for (const item of await readdir(join(upper, path), { withFileTypes: true })) {
    const own = `${path}/${item.name}`;
    const deleted = item.isCharacterDevice() && (await lstat(join(upper, own))).rdev === 0;
    found.push({ path: own, deleted });
    if (item.isDirectory()) found.push(...(await walk(upper, own)));
  }
  return found;
}

async function isInLayers(topFirst: readonly string[], path: string): Promise<boolean> {
  for (const layer of topFirst) {
    const stat = await lstat(join(layer, path)).catch(() => undefined);
    if (stat !== undefined) return !(stat.isCharacterDevice() && stat.rdev === 0);
  }
  return false;
}

/** A folder that is in the container's own layer for nothing but the mount points in it. */
function isTouchedByMounts(
  { kind, path }: Change,
  o: { readonly changes: readonly Change[]; readonly mountPoints: ReadonlySet<string> },
): boolean {
  const isIn = (other: string): boolean => other.startsWith(`${path}/`);
  return kind === 'modified' && [...o.mountPoints].some(isIn) && !o.changes.some((change) => isIn(change.path));
}

/** Folders and files that are in the layer only because something is mounted there. */
function mountPointsOf(entry: Entry): ReadonlySet<string> {
  const system = [
    '/proc',
    '/sys',
    '/dev',
    '/dev/pts',
    '/dev/shm',
    '/dev/mqueue',
    '/dev/console',
    '/sys/fs',
    '/sys/fs/cgroup',
  ];
  const files = ['/etc', '/etc/hosts', '/etc/hostname', '/etc/resolv.conf'];
  return new Set([...system, ...files, ...entry.spec.mounts.map((mount) => mount.target)]);
}

/** For `docker top`: all processes of the machine as `ps` prints them. */
export async function listProcesses(psArguments: readonly string[]): Promise<string> {
  const result = await run(['ps', ...(psArguments.length === 0 ? ['-ef'] : psArguments)]);
  if (result.exitCode === 0) return result.stdout;
  throw new UserError({
    code: 'ps-failed',
    kind: 'failed',
    message: `ps: ${result.stderr.trim()}`,
    fix: 'Give arguments that ps(1) takes; the output must have the column PID.',
  });
}
