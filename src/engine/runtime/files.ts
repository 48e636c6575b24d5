import { spawn, type ChildProcess } from 'node:child_process';
import { lstat, readdir, readlink, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { UserError } from '../../lib/errors.ts';
import { run, runOrThrow } from '../../lib/process.ts';
import type { Layer } from '../image/index.ts';
import { type ArchiveGuard, guardArchive } from './archive-guard.ts';
import { exclusively, isUp, type Entry } from './containers.ts';
import { pathNotFound } from './errors.ts';
import type { Change, PathStat } from './face.ts';
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

  /** The tar is written while it is read; until it ends no other operation touches the container. */
  async copyOut(entry: Entry, path: string): Promise<{ stat: PathStat; tar: Readable }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ stat: PathStat; tar: Readable }>();
    this.#withRoot(entry, async (root) => {
      const stat = await statIn(root, path, entry.spec.name);
      const place = await resolveInRoot(root, path, !/\/\.?$/.test(path));
      const child = tarOut(copyArguments({ root, place, path }));
      resolve({ stat, tar: kept(child.stdout) });
      await endOf(child);
    }).catch(reject);
    return promise;
  }

  /** Docker's `docker export`: the container's own root, without what is mounted in it; names are without `./`. */
  async exportRoot(entry: Entry): Promise<Readable> {
    const { promise, resolve, reject } = Promise.withResolvers<Readable>();
    this.#withRoot(entry, async () => {
      const { root } = entry.paths;
      const names = await readdir(root, { encoding: 'buffer' });
      const child = tarOut([
        '--one-file-system',
        '--directory',
        root,
        '--null',
        '--verbatim-files-from',
        '--files-from=-',
      ]);
      child.stdin.on('error', () => {}); // tar that ended early says so by its exit
      child.stdin.end(Buffer.concat(names.sort(Buffer.compare).flatMap((name) => [name, Buffer.of(0)])));
      resolve(kept(child.stdout));
      await endOf(child);
    }).catch(reject);
    return promise;
  }

  async copyIn(entry: Entry, path: string, tar: Readable): Promise<void> {
    await this.#withRoot(entry, async (root) => {
      const directory = await resolveInRoot(root, path);
      // The root of a running container is seen through a link of /proc.
      const found = await (directory === root ? stat(root) : lstat(directory)).catch(() => undefined);
      if (!found?.isDirectory()) throw pathNotFound(path, entry.spec.name);
      await unpack(directory, guarded(tar, guardArchive(root, directory)));
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

function tarOut(args: readonly string[]) {
  const all = ['--create', '--file', '-', '--numeric-owner', '--sparse', ...args];
  return spawn('tar', all, { stdio: ['pipe', 'pipe', 'ignore'] });
}

/** Node drops what nobody reads yet when a child ends; here it waits for its reader. */
function kept(stdout: Readable): Readable {
  return stdout.pipe(new PassThrough());
}

async function endOf(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.once('close', () => resolve());
    child.once('error', reject);
  });
}

/** What a container has is not trusted: before tar sees a name, it is looked where that leads. */
async function* guarded(tar: Readable, guard: ArchiveGuard): AsyncGenerator<Buffer> {
  for await (const chunk of tar) {
    guard.look(chunk as Buffer);
    yield chunk as Buffer;
  }
}

/** tar takes 64 KiB a call instead of 10: large files come in twice as fast. */
const INCOMING = ['--blocking-factor=128', '--read-full-records', '--numeric-owner', '--same-permissions'];

async function unpack(directory: string, tar: AsyncIterable<Buffer>): Promise<void> {
  const child = spawn('tar', ['--extract', '--file', '-', ...INCOMING, '--directory', directory], {
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('close', resolve);
    child.once('error', reject);
  });
  const [broken, code] = await Promise.all([feed(tar, child.stdin).catch((error: unknown) => error), ended]);
  if (code === 0 && broken === undefined) return;
  if (broken instanceof UserError) throw broken;
  throw new UserError({
    code: 'archive-invalid',
    kind: 'invalid',
    message: `the archive could not be unpacked: ${errors.trim() || String(broken)}`,
    fix: 'Send an uncompressed tar archive.',
  });
}

/**
 * Fails only with the source: a reader that is content before the end (tar, at the mark of an archive's end) says so by
 * its exit code. The rest of the source is read and dropped.
 */
async function feed(source: AsyncIterable<Buffer>, sink: Writable): Promise<void> {
  sink.on('error', () => {});
  try {
    for await (const chunk of source) if (sink.writable && !sink.write(chunk)) await roomIn(sink);
  } finally {
    sink.end();
  }
}

async function roomIn(sink: Writable): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const done = (): void => resolve();
  for (const event of ['drain', 'close']) sink.once(event, done);
  if (sink.destroyed) resolve();
  await promise;
  for (const event of ['drain', 'close']) sink.off(event, done);
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
