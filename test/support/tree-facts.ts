import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync, type BigIntStats } from 'node:fs';

/** One file of a tree. Names are byte strings: each character is one byte. */
export interface TreeFacts {
  readonly type: string;
  /** Permission bits, octal. */
  readonly mode: string;
  readonly owner: string;
  readonly mtimeNs: bigint;
  /** Digest, link target or device number. */
  readonly content: string;
  /** Of a file with several names the first; else its own name. */
  readonly sameAs: string;
  /** `name=hex`, sorted. */
  readonly xattrs: readonly string[];
}

export type Tree = ReadonlyMap<string, TreeFacts>;

export interface Comparing {
  /** How exactly times must be equal. */
  readonly times: 'nanoseconds' | 'seconds' | 'none';
  /** Of which attributes the names are compared; all when absent, none for `() => false`. */
  xattrs?(name: string): boolean;
  /** Expected facts are changed by this before they are compared, e.g. owners that become root. */
  expect?(facts: TreeFacts, path: string): TreeFacts;
}

/** All files of a folder by their paths; '' is the folder itself. Sockets are left out: no archive holds them. */
export function readTree(root: string): Tree {
  const xattrs = readXattrs(root);
  const firsts = new Map<string, string>();
  const tree = new Map<string, TreeFacts>();
  const visit = (file: Buffer, path: string): void => {
    const stats = lstatSync(file, { bigint: true });
    if (stats.isSocket()) return;
    const inode = `${stats.dev}:${stats.ino}`;
    const isLinked = !stats.isDirectory() && stats.nlink > 1n;
    const sameAs = isLinked ? (firsts.get(inode) ?? path) : path;
    firsts.set(inode, sameAs);
    tree.set(path, { ...factsOf(file, stats), sameAs, xattrs: xattrs.get(path) ?? [] });
    if (!stats.isDirectory()) return;
    for (const name of readdirSync(file, { encoding: 'latin1' }).sort()) {
      const child = Buffer.concat([file, Buffer.from(`/${name}`, 'latin1')]);
      visit(child, path === '' ? name : `${path}/${name}`);
    }
  };
  visit(Buffer.from(root), '');
  return tree;
}

function factsOf(file: Buffer, stats: BigIntStats): Omit<TreeFacts, 'sameAs' | 'xattrs'> {
  return {
    type: typeOf(stats),
    mode: (Number(stats.mode) & 0o7777).toString(8),
    owner: `${stats.uid}:${stats.gid}`,
    mtimeNs: stats.mtimeNs,
    content: contentOf(file, stats),
  };
}

function typeOf(stats: BigIntStats): string {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  if (stats.isCharacterDevice()) return 'character';
  return stats.isBlockDevice() ? 'block' : 'fifo';
}

function contentOf(file: Buffer, stats: BigIntStats): string {
  if (stats.isSymbolicLink()) return readlinkSync(file, { encoding: 'latin1' });
  if (stats.isFile()) return `${stats.size} bytes ${digestOf(file)}`;
  return stats.isCharacterDevice() || stats.isBlockDevice() ? String(stats.rdev) : '';
}

function digestOf(file: Buffer): string {
  const hash = createHash('sha256');
  const chunk = Buffer.alloc(1024 * 1024);
  const handle = openSync(file, 'r');
  try {
    for (let read = readSync(handle, chunk); read > 0; read = readSync(handle, chunk))
      hash.update(chunk.subarray(0, read));
  } finally {
    closeSync(handle);
  }
  return hash.digest('hex').slice(0, 16);
}

/** Without those of overlayfs itself. */
function readXattrs(root: string): ReadonlyMap<string, readonly string[]> {
  const argv = ['-R', '-P', '-h', '-d', '-m', String.raw`^(user|security)\.`, '-e', 'hex', '.'];
  const dump = execFileSync('getfattr', argv, { cwd: root, maxBuffer: 1 << 28 }).toString('latin1');
  const byPath = new Map<string, readonly string[]>();
  for (const part of dump.split('\n\n')) {
    const [head = '', ...lines] = part.trim().split('\n');
    const path = head
      .replace(/^# file: (?:\.\/?)?/, '')
      .replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
    if (lines.length > 0) byPath.set(path, lines.sort());
  }
  return byPath;
}

/** One line for each difference; none where the trees are equal. The folders themselves are not compared. */
export function compareTrees(expected: Tree, actual: Tree, o: Comparing): readonly string[] {
  const paths = [...new Set([...expected.keys(), ...actual.keys()])].filter((path) => path !== '').sort();
  return paths.flatMap((path) => {
    const given = expected.get(path);
    const is = actual.get(path);
    const name = JSON.stringify(path);
    if (is === undefined) return [`${name} is missing`];
    if (given === undefined) return [`${name} should not be there`];
    const wanted = comparable(o.expect?.(given, path) ?? given, o);
    const found = comparable(is, o);
    return Object.entries(wanted)
      .filter(([key, value]) => value !== found[key])
      .map(([key, value]) => `${name}: ${key} should be ${value}, is ${found[key]}`);
  });
}

function comparable(facts: TreeFacts, o: Comparing): Readonly<Record<string, string>> {
  const { mtimeNs, xattrs, ...rest } = facts;
  const kept = xattrs.filter((line) => o.xattrs?.(line.slice(0, line.indexOf('='))) ?? true);
  return { ...rest, xattrs: kept.join(' '), ...timeOf(mtimeNs, o.times) };
}

function timeOf(mtimeNs: bigint, times: Comparing['times']): Readonly<Record<string, string>> {
  if (times === 'none') return {};
  if (times === 'nanoseconds') return { time: String(mtimeNs) };
  const second = 1_000_000_000n;
  return { time: String(mtimeNs < 0n && mtimeNs % second !== 0n ? mtimeNs / second - 1n : mtimeNs / second) };
}
