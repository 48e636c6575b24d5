import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lchownSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { readTree } from './tree-facts.ts';

export { compareTrees, readTree } from './tree-facts.ts';

/** What a random tree may have; everything, unless it is turned off. */
export interface RandomTreeOptions {
  /** The same seed makes the same tree. */
  readonly seed: number;
  /** About so many entries. */
  readonly entries?: number;
  /** Names that are no UTF-8. */
  readonly anyBytes?: boolean;
  /** Fifos and device nodes. */
  readonly special?: boolean;
  readonly hardLinks?: boolean;
  /** `user.*` and `security.capability`. */
  readonly xattrs?: boolean;
  /** Owners other than root. */
  readonly owners?: boolean;
  /** Fractions of a second. */
  readonly fractions?: boolean;
  /** Symbolic links. */
  readonly symlinks?: boolean;
  /** Bytes of a sparse file with holes; 0 for none. */
  readonly sparseBytes?: number;
}

interface Random {
  /** From 0 to below `limit`. */
  below(limit: number): number;
  chance(percent: number): boolean;
  pick<T>(items: readonly T[]): T;
  bytes(length: number): Buffer;
}

/** Marsaglia's xorshift, 32 bits. */
function randomOf(seed: number): Random {
  let state = (seed ^ 0x9e3779b9) >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>>= 0);
  };
  for (let turn = 0; turn < 20; turn++) next();
  const below = (limit: number): number => next() % limit;
  return {
    below,
    chance: (percent) => below(100) < percent,
    pick: (items) => items[below(items.length)]!,
    bytes: (length) => Buffer.from(Array.from({ length }, () => below(256))),
  };
}

/** Fills an empty folder with a random tree; only root can. */
export function makeRandomTree(root: string, options: RandomTreeOptions): void {
  const maker = new TreeMaker(root, options);
  maker.fill();
}

const ODD_NAMES = [
  '-rf',
  '--help',
  ' leading',
  'trailing ',
  'new\nline',
  'tab\there',
  String.raw`back\slash`,
  String.raw`\101`,
  '"quoted"',
  "it's",
  '*',
  'a[b]',
  '?',
  '$HOME',
  '#hash',
  '.hidden',
  '..two',
  '...',
  '~',
  '%s%n',
  'größe-€',
  'e\u0301',
  '\u{1f600}',
  'a:b=c,d',
  '.wh',
];

/** A VFS capability of version 2 (linux/capability.h): cap_net_raw effective and permitted. */
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex');

class TreeMaker {
  readonly #root: Buffer;
  readonly #o: RandomTreeOptions;
  readonly #random: Random;
  readonly #folders: string[] = [''];
  readonly #files: string[] = [];
  readonly #links: string[] = [];
  readonly #taken = new Set<string>();
  readonly #attributes: string[] = [];

  constructor(root: string, o: RandomTreeOptions) {
    this.#root = Buffer.from(root);
    this.#o = o;
    this.#random = randomOf(o.seed);
  }

  fill(): void {
    const entries = this.#o.entries ?? 60;
    for (let index = 0; index < entries; index++) this.#add();
    this.#deep();
    if ((this.#o.sparseBytes ?? 0) > 0) this.#sparse(this.#o.sparseBytes!);
    this.#setAttributes();
    this.#setTimes();
  }

  #add(): void {
    const random = this.#random;
    const dice = random.below(100);
    const path = this.#newPath();
    if (dice < 25) this.#folder(path);
    else if (dice < 60) this.#file(path);
    else if (dice < 75) this.#symlink(path);
    else if (dice < 90) this.#hardLink(path);
    else this.#special(path);
  }

  #newPath(): string {
    for (;;) {
      const parent = this.#random.pick(this.#folders);
      const name = this.#name();
      const path = parent === '' ? name : `${parent}/${name}`;
      if (this.#taken.has(path)) continue;
      this.#taken.add(path);
      return path;
    }
  }

  #name(): string {
    const random = this.#random;
    const dice = random.below(100);
    if (dice < 50) return `${random.pick(['a', 'b', 'file', 'Dir', 'x'])}${random.below(1_000)}`;
    if (dice < 70) return Buffer.from(random.pick(ODD_NAMES)).toString('latin1');
    if (dice < 80) return `${'n'.repeat(200 + random.below(50))}${random.below(1_000)}`.slice(0, 255);
    if (dice < 90 && this.#o.anyBytes !== false)
      return `raw-${random.bytes(4).toString('latin1').replaceAll(/[/\0]/g, '\xff')}`;
    return `plain-${random.below(10_000)}`;
  }

  /** A path of more than 255 bytes, and names of the longest kind. */
  #deep(): void {
    let path = `deep-${this.#random.below(1_000_000)}`;
    this.#folder(path);
    for (let level = 0; level < 3; level++) {
      path += `/${'d'.repeat(150)}${level}`;
      this.#folder(path);
    }
    this.#file(`${path}/${'f'.repeat(255)}`);
    this.#symlinkTo(`${path}/link`, '../'.repeat(60) + 'x'.repeat(300));
  }

  #folder(path: string): void {
    mkdirSync(this.#at(path));
    this.#own(path);
    chmodSync(this.#at(path), this.#random.pick([0o755, 0o700, 0o000, 0o1777, 0o2775, 0o711]));
    this.#folders.push(path);
    if (this.#random.chance(10)) this.#attribute(path, 'user.folder', this.#random.bytes(6));
  }

  #file(path: string): void {
    const size = this.#random.pick([0, 1, 511, 512, 513, 700, 4_096, 10_240, 70_000]);
    writeFileSync(this.#at(path), size > 20_000 ? Buffer.alloc(size, path) : this.#random.bytes(size));
    this.#own(path);
    chmodSync(this.#at(path), this.#random.pick([0o644, 0o600, 0o755, 0o000, 0o4755, 0o2711, 0o6777, 0o1644, 0o444]));
    this.#files.push(path);
    if (this.#random.chance(15)) this.#attribute(path, 'user.colour', this.#random.bytes(5));
    if (this.#random.chance(5)) this.#attribute(path, 'user.empty', Buffer.alloc(0));
    if (this.#random.chance(5)) this.#attribute(path, 'user.large', this.#random.bytes(1_500));
    if (this.#random.chance(10)) this.#attribute(path, 'security.capability', CAPABILITY);
  }

  #symlink(path: string): void {
    const random = this.#random;
    const target = random.pick([
      'nowhere',
      '/etc/passwd',
      '../../../../..',
      '.',
      'a b\nc',
      'x'.repeat(100),
      'y'.repeat(101),
      random.pick(this.#folders) || '/',
      random.pick([...this.#files, 'none']),
    ]);
    this.#symlinkTo(path, target);
  }

  #symlinkTo(path: string, target: string): void {
    if (this.#o.symlinks === false) return;
    symlinkSync(Buffer.from(target, 'latin1'), this.#at(path));
    this.#own(path);
    this.#links.push(path);
  }

  #hardLink(path: string): void {
    if (this.#o.hardLinks === false) return;
    const targets = this.#random.chance(85) ? this.#files : this.#links;
    if (targets.length > 0) linkSync(this.#at(this.#random.pick(targets)), this.#at(path));
  }

  #special(path: string): void {
    if (this.#o.special === false) return;
    const kind = this.#random.pick([['p'], ['c', '1', '3'], ['b', '259', '300000']]);
    // mknod takes no name that is not text, so it is made under another one and moved: a shell would be as slow.
    execFileSync('mknod', [this.#at('.new').toString(), ...kind]);
    linkSync(this.#at('.new'), this.#at(path));
    execFileSync('rm', [this.#at('.new').toString()]);
    this.#own(path);
    chmodSync(this.#at(path), this.#random.pick([0o600, 0o666]));
  }

  #sparse(bytes: number): void {
    const file = openSync(this.#at('sparse'), 'w');
    writeSync(file, 'begin', 0);
    writeSync(file, 'middle', Math.floor(bytes / 2));
    ftruncateSync(file, bytes);
    closeSync(file);
    this.#taken.add('sparse');
  }

  #own(path: string): void {
    if (this.#o.owners === false) return;
    const owner = (): number => this.#random.pick([0, 0, 1, 1_000, 65_534, 2_097_151, 2_097_152, 2_000_000_000]);
    lchownSync(this.#at(path), owner(), owner());
  }

  #attribute(path: string, name: string, value: Buffer): void {
    if (this.#o.xattrs === false) return;
    const hex = value.length === 0 ? '""' : `0x${value.toString('hex')}`;
    this.#attributes.push(`# file: ${octalEscaped(path)}\n${name}=${hex}\n`);
  }

  #setAttributes(): void {
    if (this.#attributes.length === 0) return;
    execFileSync('setfattr', ['--restore=-'], {
      cwd: this.#root.toString(),
      input: Buffer.from(this.#attributes.join('\n'), 'latin1'),
    });
  }

  /** Deepest first: making a file changes the time of its folder. One process for all. */
  #setTimes(): void {
    const times = (): string => {
      const seconds = this.#random.pick([
        0, 1, -1_000_000_000, 1_000_000_000, 1_700_000_000, 2_147_483_648, 8_589_934_592,
      ]);
      const isFraction = this.#o.fractions !== false && this.#random.chance(50);
      return `@${seconds}${isFraction ? `.${String(this.#random.below(1_000_000_000)).padStart(9, '0')}` : ''}`;
    };
    const byTime = new Map<string, string[]>();
    for (const path of this.#all()) {
      const time = times();
      byTime.set(time, [...(byTime.get(time) ?? []), path]);
    }
    for (const [time, paths] of byTime) {
      const input = Buffer.from(paths.map((path) => `./${path}\0`).join(''), 'latin1');
      execFileSync('xargs', ['-0', 'touch', '--no-dereference', `--date=${time}`, '--'], {
        cwd: this.#root.toString(),
        input,
      });
    }
  }

  #all(): readonly string[] {
    return [...readTree(this.#root.toString()).keys()].filter((path) => path !== '').toReversed();
  }

  #at(path: string): Buffer {
    return Buffer.concat([this.#root, Buffer.from(`/${path}`, 'latin1')]);
  }
}

function octalEscaped(path: string): string {
  return path.replaceAll(/[^A-Za-z0-9/._-]/g, (character) => {
    return `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`;
  });
}
