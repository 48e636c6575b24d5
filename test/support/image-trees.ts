import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  type BigIntStats,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';

/** A small root file system with one of everything that a layer can hold. */
export function writeBase(root: string): void {
  for (const folder of ['etc', 'old', 'old/deep', 'kept', 'replaced', 'empty']) mkdirSync(join(root, folder));
  for (const file of [
    'etc/conf',
    'etc/other',
    'etc/third',
    'old/a',
    'old/deep/b',
    'kept/k',
    'replaced/r1',
    'replaced/r2',
  ]) {
    writeFileSync(join(root, file), `content of ${file}\n`);
  }
  symlinkSync('/etc/conf', join(root, 'absolute-link'));
  symlinkSync('../../..', join(root, 'etc/climbing-link'));
  linkSync(join(root, 'kept/k'), join(root, 'a-hard-link'));
  mkdirSync(join(root, 'n'.repeat(200)));
  writeFileSync(join(root, 'n'.repeat(200), 'm'.repeat(200)), 'long name');
  writeFileSync(
    Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x6e, 0xff, 0xfe, 0x0a])]),
    'a name that is no text',
  );
  writeFileSync(join(root, 'größe €'), 'a name that is text');
  execFileSync('mkfifo', [join(root, 'fifo')]);
  execFileSync('mknod', [join(root, 'null'), 'c', '1', '3']);
  writeFileSync(join(root, 'setuid'), '#!');
  chownSync(join(root, 'setuid'), 1000, 70_000_000);
  chmodSync(join(root, 'setuid'), 0o4711);
  writeFileSync(join(root, 'capable'), 'x');
  execFileSync('setcap', ['cap_net_raw+ep', join(root, 'capable')]);
  execFileSync('setfattr', ['-n', 'user.colour', '-v', '0x00ff0a', join(root, 'capable')]);
  execFileSync('touch', ['-h', '-d', '1960-01-01T00:00:00.5Z', join(root, 'absolute-link')]);
  chmodSync(join(root, 'empty'), 0o1777);
}

/** Deletes, replaces, renames and changes what `writeBase` wrote. */
export function changeBase(root: string): void {
  for (const path of ['old', 'etc/other', 'etc/third', 'capable']) rmSync(join(root, path), { recursive: true });
  rmSync(join(root, 'replaced'), { recursive: true });
  mkdirSync(join(root, 'replaced'));
  writeFileSync(join(root, 'replaced/new'), 'only this');
  writeFileSync(join(root, 'etc/conf'), 'changed');
  execFileSync('mv', [join(root, 'kept'), join(root, 'moved')]);
  rmSync(join(root, 'absolute-link'));
  mkdirSync(join(root, 'absolute-link'));
  chmodSync(join(root, 'setuid'), 0o755);
  linkSync(join(root, 'setuid'), join(root, 'setuid-too'));
}

/** One line a file, without the root: path, type, mode, owner, time, content, attributes, and which names are one file. */
export function describeTree(root: string): readonly string[] {
  const inodes = new Map<bigint, string>();
  const lines: string[] = [];
  const visit = (file: Buffer, path: string): void => {
    const stats = lstatSync(file, { bigint: true });
    const isLinked = !stats.isDirectory() && stats.nlink > 1n;
    const first = isLinked ? (inodes.get(stats.ino) ?? path) : path;
    inodes.set(stats.ino, first);
    const mode = stats.mode.toString(8);
    if (path !== '')
      lines.push([path, mode, `${stats.uid}:${stats.gid}`, stats.mtimeNs, first, contentOf(file, stats)].join(' '));
    if (!stats.isDirectory()) return;
    for (const name of readdirSync(file, { encoding: 'latin1' }).sort()) {
      visit(Buffer.concat([file, Buffer.from('/'), Buffer.from(name, 'latin1')]), `${path}/${name}`);
    }
  };
  visit(Buffer.from(root), '');
  return [...lines, ...attributesOf(root)];
}

/** Archives hold whole seconds. */
export function withoutFraction(line: string): string {
  return line.replace(/ (\d+:\d+) (-?)(\d*?)(\d{1,9}) /, wholeSeconds);
}

function wholeSeconds(_: string, owner: string, ...[sign, seconds, fraction]: readonly string[]): string {
  const whole = BigInt(seconds === '' ? '0' : seconds!);
  if (sign !== '-') return ` ${owner} ${whole} `;
  return ` ${owner} ${BigInt(fraction!) === 0n ? -whole : -whole - 1n} `;
}

function contentOf(file: Buffer, stats: BigIntStats): string {
  if (stats.isSymbolicLink()) return `-> ${readlinkSync(file, { encoding: 'latin1' })}`;
  if (stats.isFile()) return createHash('sha256').update(readFileSync(file)).digest('hex').slice(0, 16);
  return stats.rdev === 0n || stats.isFIFO() || stats.isDirectory() ? '' : String(stats.rdev);
}

/** Without those of overlayfs itself. */
function attributesOf(root: string): readonly string[] {
  const dump = execFileSync('getfattr', ['-R', '-P', '-h', '-d', '-m', '^(user|security)\\.', '-e', 'hex', '.'], {
    cwd: root,
  });
  return dump
    .toString('latin1')
    .trim()
    .split('\n')
    .filter((line) => line !== '');
}

export interface TreeFile {
  readonly path: readonly string[];
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink';
  readonly mode: number;
  readonly owner: number;
  readonly mtime: number;
  readonly content: string;
}

const fileName = fc.oneof(
  fc.constantFrom('a', 'b', 'c', 'd'),
  fc.string({ minLength: 1, maxLength: 120, unit: 'grapheme' }).filter(isFileName),
);

export const treeArbitrary: fc.Arbitrary<readonly TreeFile[]> = fc.array(
  fc.record({
    path: fc.array(fileName, { minLength: 1, maxLength: 4 }),
    kind: fc.constantFrom('file' as const, 'directory' as const, 'symlink' as const, 'hardlink' as const),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    owner: fc.integer({ min: 0, max: 100_000_000 }),
    mtime: fc.integer({ min: -1_000_000_000, max: 4_000_000_000 }),
    content: fc.string({ maxLength: 700 }),
  }),
  { maxLength: 30 },
);

/** Writes what can be written of a random tree; names that collide are left out. */
export function writeTree(root: string, files: readonly TreeFile[]): void {
  const written: string[] = [];
  const folders: TreeFile[] = [];
  for (const file of files) {
    const path = join(root, ...file.path);
    try {
      mkdirSync(join(root, ...file.path.slice(0, -1)), { recursive: true });
      writeOne(path, file, written);
    } catch {
      continue; // there is a file of that name, or in the way
    }
    if (file.kind === 'file') written.push(path);
    if (file.kind === 'directory') folders.push(file);
  }
  for (const folder of folders) lutimesSync(join(root, ...folder.path), folder.mtime, folder.mtime);
}

function writeOne(path: string, file: TreeFile, written: readonly string[]): void {
  const target = written[file.mode % Math.max(1, written.length)];
  if (file.kind === 'hardlink') {
    if (target !== undefined) linkSync(target, path);
    return;
  }
  if (file.kind === 'symlink') symlinkSync(file.content.replaceAll('\0', '') || '..', path);
  else if (file.kind === 'directory') mkdirSync(path);
  else writeFileSync(path, file.content, { flag: 'wx' });
  if (file.kind === 'symlink') return;
  chownSync(path, file.owner, file.owner);
  chmodSync(path, file.mode);
  lutimesSync(path, file.mtime, file.mtime);
}

function isFileName(name: string): boolean {
  if (name === '.' || name === '..' || name.startsWith('.wh.') || /[/\0]/.test(name)) return false;
  return Buffer.byteLength(name) <= 255;
}
