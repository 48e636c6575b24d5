import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { systemCodeOf, UserError } from '../../lib/errors.ts';
import type { Project } from '../compose/index.ts';
import { contentOf } from './file-content.ts';
import { hiderOf } from './hide-secrets.ts';
import { filesOf } from './identity.ts';
import { type Keyring, writeDurably } from './keyring.ts';
import { diskFolder, memoryFolder, type PlacesFolder } from './memory-folder.ts';
import type { FileVersion, Release } from './release.ts';

/** How one instance sees a config or a secret. */
export interface FilePlacement {
  readonly version: string;
  readonly uid: number;
  readonly gid: number;
  /** Permission bits, e.g. 0o444. */
  readonly mode: number;
}

/** Which contents are needed, and how instances that live see them. */
export interface NeededFiles {
  readonly versions: ReadonlySet<string>;
  readonly placements: readonly FilePlacement[];
}

/** Contents of configs and secrets by version: sealed on the disk, in the clear only in memory, for instances. */
export interface FileStore {
  /** Reads and keeps every config and secret that the project's services use; gives their versions by key. */
  keep(project: Project, environment: Readonly<Record<string, string>>): Promise<Record<string, FileVersion>>;
  /** Makes the file that is mounted into instances; it may be there already. */
  place(placement: FilePlacement): Promise<void>;
  /** Where `place` puts it. */
  pathOf(placement: FilePlacement): string;
  /** After a restart of the machine: all that live instances need, before an engine starts them. Gives what is lost. */
  refill(placements: readonly FilePlacement[]): readonly string[];
  /** Removes what is not needed; at a moment when nobody is about to freeze a release. Gives what was removed. */
  collect(needed: NeededFiles): readonly string[];
  /** Nothing runs any more: the memory is given back. */
  release(): void;
  /** Takes the contents of a release's secrets out of what its programs print. */
  hider(release: Pick<Release, 'files'> | undefined): (text: string) => string;
}

export interface FileStoreOptions {
  /** `<root>/delivery`; `files/` lies beneath it. */
  readonly directory: string;
  readonly keyring: Keyring;
  /** `/run/bascule…`: what instances see is in memory beneath it. Absent: in `<directory>/mounted`, on the disk. */
  readonly runDirectory?: string;
}

/** Opens the store; contents that an older Bascule left in the clear are sealed. */
export function openFileStore({ directory, keyring, runDirectory }: FileStoreOptions): FileStore {
  const contents = join(directory, 'files');
  mkdirSync(contents, { recursive: true, mode: 0o700 });
  chmodSync(contents, 0o700);
  sealPlain(directory, contents, keyring);
  const legacy = join(directory, 'mounted');
  const places = runDirectory === undefined ? diskFolder(legacy) : memoryFolder(join(runDirectory, 'files'));
  return new SealedFiles({ contents, places, keyring, legacy: runDirectory === undefined ? undefined : legacy });
}

interface Stored {
  readonly contents: string;
  readonly places: PlacesFolder;
  readonly keyring: Keyring;
  /** Where an older Bascule put what instances see: their containers still look there. */
  readonly legacy: string | undefined;
}

/** Versions of an older Bascule were plain hashes of secrets too: while they last, the same content keeps its name. */
const OLD = 'old-';

class SealedFiles implements FileStore {
  readonly #o: Stored;

  constructor(o: Stored) {
    this.#o = o;
  }

  pathOf(placement: FilePlacement): string {
    return join(this.#o.places.directory, placedFileName(placement));
  }

  async keep(project: Project, environment: Readonly<Record<string, string>>): Promise<Record<string, FileVersion>> {
    const versions: Record<string, FileVersion> = {};
    for (const key of usedFiles(project)) {
      const kind = key.startsWith('secrets/') ? 'secret' : 'config';
      const content = await contentOf({ key, project, environment });
      versions[key] = { kind, version: this.#keepContent(kind, content) };
    }
    return versions;
  }

  async place(placement: FilePlacement): Promise<void> {
    await Promise.resolve(this.#place(placement));
  }

  refill(placements: readonly FilePlacement[]): readonly string[] {
    const lost = placements.filter((placement) => !this.#isPlaced(placement)).map(({ version }) => version);
    this.#followLegacy();
    return lost;
  }

  collect({ versions, placements }: NeededFiles): readonly string[] {
    const names = new Set(placements.map(placedFileName));
    const gone = namesIn(this.#o.contents).filter((name) => !versions.has(name.replace(OLD, '')));
    for (const name of gone) rmSync(join(this.#o.contents, name), { force: true });
    for (const name of namesIn(this.#o.places.directory))
      if (!names.has(name)) rmSync(join(this.#o.places.directory, name), { force: true });
    return gone;
  }

  release(): void {
    this.#o.places.remove();
  }

  hider(release: Pick<Release, 'files'> | undefined): (text: string) => string {
    const secrets = Object.values(release?.files ?? {}).filter(({ kind }) => kind === 'secret');
    return hiderOf(secrets.flatMap(({ version }) => this.#contentIfThere(version) ?? []));
  }

  #keepContent(kind: FileVersion['kind'], content: Uint8Array): string {
    const { contents, keyring } = this.#o;
    const hash = createHash('sha256').update(content).digest('hex');
    if (existsSync(join(contents, `${OLD}${hash}`))) return hash;
    const version = kind === 'config' ? hash : keyring.versionOf(content);
    const path = join(contents, version);
    if (!existsSync(path)) writeDurably(path, keyring.seal('file', version, content));
    return version;
  }

  #content(version: string): Buffer {
    const { contents, keyring } = this.#o;
    const old = join(contents, `${OLD}${version}`);
    return keyring.open('file', version, readFileSync(existsSync(old) ? old : join(contents, version)));
  }

  #contentIfThere(version: string): Buffer | undefined {
    try {
      return this.#content(version);
    } catch {
      return undefined;
    }
  }

  #isPlaced(placement: FilePlacement): boolean {
    try {
      this.#place(placement);
      return true;
    } catch (error) {
      if (systemCodeOf(error) === 'ENOENT' || error instanceof UserError) return false;
      throw error;
    }
  }

  #place(placement: FilePlacement): void {
    this.#o.places.ensure();
    const target = this.pathOf(placement);
    if (existsSync(target)) return;
    const content = this.#content(placement.version);
    const temporary = `${target}.${randomBytes(6).toString('hex')}.tmp`;
    try {
      writeFileSync(temporary, content, { mode: 0o600, flag: 'wx' });
      chownSync(temporary, placement.uid, placement.gid);
      chmodSync(temporary, placement.mode);
      renameSync(temporary, target);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw systemCodeOf(error) === 'ENOSPC' ? memoryFull(error) : error;
    }
  }

  /** Containers of an older Bascule find their files at the old path, now in memory too. */
  #followLegacy(): void {
    const { legacy, places } = this.#o;
    if (legacy === undefined) return;
    const aside = `${legacy}.old`;
    if (isFolder(legacy)) renameSync(legacy, aside);
    if (!existsSync(aside)) return;
    rmSync(legacy, { force: true });
    symlinkSync(places.directory, legacy);
    rmSync(aside, { recursive: true, force: true });
  }
}

/** The name of a placed file: the same content with the same owner and mode is one file. */
function placedFileName({ version, uid, gid, mode }: FilePlacement): string {
  return `${version}-${uid}-${gid}-${mode.toString(8)}`;
}

function usedFiles(project: Project): readonly string[] {
  return [...new Set(Object.values(project.services).flatMap((service) => filesOf(service)))].sort();
}

/** Each is sealed before it is removed: a crash in between does it again. */
function sealPlain(directory: string, contents: string, keyring: Keyring): void {
  const plain = join(directory, 'secrets');
  for (const version of namesIn(plain)) {
    const path = join(plain, version);
    const isContent = /^[0-9a-f]{64}$/.test(version);
    if (isContent) writeDurably(join(contents, `${OLD}${version}`), keyring.seal('file', version, readFileSync(path)));
    rmSync(path, { force: true });
  }
  rmSync(plain, { recursive: true, force: true });
}

function namesIn(directory: string): readonly string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function isFolder(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

function memoryFull(cause: unknown): UserError {
  return new UserError({
    code: 'files-memory-full',
    kind: 'failed',
    message: 'the configs and secrets of all live releases together are larger than the 64 MB of memory for them',
    fix: 'Put large data into an image or a volume; configs and secrets are for small files.',
    cause,
  });
}
