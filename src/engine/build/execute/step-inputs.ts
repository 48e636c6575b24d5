import { join } from 'node:path';
import { chainIdOf } from '../../../lib/oci/index.ts';
import { resolveInRoot } from '../../../lib/root-path.ts';
import { nameOf } from '../files/names.ts';
import { type SelectedSource, type SourceRoot, type WalkedRoot, walkQuery } from '../files/select.ts';
import { type Walk, walkTree } from '../files/tree.ts';
import { keyOf } from '../plan/key.ts';
import type { GitOrigin, Origin, Step, UrlOrigin } from '../plan/plan.ts';
import { checkOutGit, type GitAccess, resolveCommit } from '../sources/git.ts';
import type { Download } from '../sources/downloads.ts';
import { type DigestedSource, inputDigest } from './inputs.ts';
import { located } from './located.ts';
import { isLasting, type Read, readsOf, selectOrThrow } from './reads.ts';
import type { MountedRoot } from './mounts.ts';
import type { Session } from './session.ts';
import { resultOf, type StageResults } from './stage-result.ts';

/** What a step reads beside the state it begins with. Disposing unmounts what had to be mounted. */
export interface StepInputs extends AsyncDisposable {
  /** Stands for the content without reading it; undefined where only the content tells (the context). */
  references(): Promise<string | undefined>;
  /** Digest of the content. */
  digest(): Promise<string>;
  /** What a COPY names. @throws UserError `copy-source-missing` and those of fetching */
  sources(): Promise<readonly GivenSource[]>;
  /** What a step reads that reads one folder of what lasts; undefined for others. */
  lasting(): Promise<LastingFiles | undefined>;
  /** Stands for the content of an origin; undefined for a context. */
  reference(origin: Origin): Promise<string | undefined>;
  /** The root that an origin means, mounted or fetched where it has to be. */
  root(origin: Origin): Promise<SourceRoot>;
}

/** One file or folder that a COPY or ADD puts into the image. */
export interface GivenSource {
  readonly selected: SelectedSource;
  readonly origin: Origin;
  /** Tar archives are unpacked. */
  readonly unpacks: boolean;
}

interface InputsOf {
  readonly session: Session;
  readonly step: Step;
  readonly results: StageResults;
}

/** A folder of what lasts, with the digests of its files. */
export interface LastingFiles extends DigestedSource {
  /** That found it. */
  readonly walk: Walk;
}

/** What one read gives. */
interface Selected {
  /** The walk that found it began then or later. */
  readonly walkedAt: Date;
  readonly given: readonly GivenSource[];
}

export function openInputs({ session, step, results }: InputsOf): StepInputs {
  const { workshop, signal } = session;
  const mounted: MountedRoot[] = [];
  const roots = new Map<string, Promise<SourceRoot>>();
  const reads = readsOf(step);
  const commits = new Map<GitOrigin, Promise<string>>();
  const downloads = new Map<UrlOrigin, Promise<Download>>();
  const walked = new Map<Read, Promise<WalkedRoot | undefined>>();
  const selected = new Map<Read, Promise<Selected>>();
  const digested = new Map<Read, Promise<readonly DigestedSource[]>>();

  async function openOrigin(origin: Origin): Promise<SourceRoot> {
    switch (origin.kind) {
      case 'context':
        return session.context;
      case 'named-context':
        return (await session.namedContext(origin.name)).root;
      case 'stage':
        return mount((await resultOf(results, origin.index)).layers);
      case 'image':
        return mount(workshop.options.images.layersOf(origin.image.id));
      case 'git':
        return { directory: await clone(origin), ignore: undefined };
      case 'url':
        throw new Error('a URL is a file');
    }
  }

  async function mount(layers: readonly { readonly directory: string }[]): Promise<SourceRoot> {
    const root = await workshop.mounts.root(layers.map(({ directory }) => directory));
    mounted.push(root);
    return { directory: root.path, ignore: undefined };
  }

  async function clone(origin: GitOrigin): Promise<string> {
    const directory = join(await session.temporaryDirectory(), 'tree');
    const commit = await commitOf(origin);
    await located({ session, step }, () => checkOutGit({ ...origin, commit }, { ...gitAccess(session), directory }));
    return resolveInRoot(directory, origin.subdirectory);
  }

  function rootOf(origin: Origin): Promise<SourceRoot> {
    const name = nameOfOrigin(origin);
    const root = roots.get(name) ?? openOrigin(origin);
    roots.set(name, root);
    return root;
  }

  /** Asked for once a step, as that of a file. */
  function commitOf(origin: GitOrigin): Promise<string> {
    const asked = commits.get(origin) ?? located({ session, step }, () => resolveCommit(origin, gitAccess(session)));
    commits.set(origin, asked);
    return asked;
  }

  function downloadOf(origin: UrlOrigin): Promise<Download> {
    const { url, checksum } = origin;
    const asked =
      downloads.get(origin) ?? located({ session, step }, () => workshop.downloads.fetch({ url, checksum, signal }));
    downloads.set(origin, asked);
    return asked;
  }

  /** Of what lasts, and is in one place. */
  function walkOf(read: Read): Promise<WalkedRoot | undefined> {
    const walk = walked.get(read) ?? walkRead(read);
    walked.set(read, walk);
    return walk;
  }

  async function walkRead({ origin, query }: Read): Promise<WalkedRoot | undefined> {
    if (!(await isLasting(session, origin))) return undefined;
    return await walkQuery(await rootOf(origin), query, signal);
  }

  function selectedOf(read: Read): Promise<Selected> {
    const selection = selected.get(read) ?? selectRead(read);
    selected.set(read, selection);
    return selection;
  }

  async function selectRead(read: Read): Promise<Selected> {
    const { origin, query, unpacks } = read;
    const walkedAt = (await walkOf(read))?.walked.walk.at ?? new Date();
    if (origin.kind === 'url') {
      const { path } = await downloadOf(origin);
      const selectedFile = { name: nameOf(origin.fileName), directory: nameOf(path), entries: await walkTree(path) };
      return { walkedAt, given: [{ selected: selectedFile, origin, unpacks }] };
    }
    const root = (await walkOf(read)) ?? (await rootOf(origin));
    const sources = await selectOrThrow({ session, step, root }, { origin, query });
    return { walkedAt, given: sources.map((source) => ({ selected: source, origin, unpacks })) };
  }

  async function digestOf(read: Read): Promise<string> {
    const root = await walkOf(read);
    const known = root === undefined ? undefined : workshop.walks.find(root, read.query);
    if (known !== undefined) return known;
    const { kind } = read.origin;
    const digest = inputDigest(await digestedOf(read), { withOwners: kind === 'stage' || kind === 'image' });
    const entries = (await selectedOf(read)).given.flatMap(({ selected: source }) => source.entries);
    if (root !== undefined) workshop.walks.remember(root, read.query, { entries, digest });
    return digest;
  }

  function digestedOf(read: Read): Promise<readonly DigestedSource[]> {
    const sources = digested.get(read) ?? digestRead(read);
    digested.set(read, sources);
    return sources;
  }

  /** A file that was fetched stands for itself. */
  async function digestRead(read: Read): Promise<readonly DigestedSource[]> {
    const remember = await isLasting(session, read.origin);
    const { given, walkedAt } = await selectedOf(read);
    return await Promise.all(
      given.map(async ({ selected: source }) => ({
        source,
        contents: await workshop.digests.of(source, { remember, walkedAt, signal }),
      })),
    );
  }

  async function reference(origin: Origin): Promise<string | undefined> {
    switch (origin.kind) {
      case 'url':
        return keyOf('url', (await downloadOf(origin)).digest);
      case 'git':
        return keyOf('git', await commitOf(origin));
      case 'stage':
        return (await resultOf(results, origin.index)).key;
      case 'image':
        return keyOf('layers', chainIdOf(origin.image.config.rootfs.diff_ids) ?? '');
      case 'context':
      case 'named-context':
        return undefined;
    }
  }

  return {
    reference,
    async references() {
      const texts: string[] = [];
      for (const { origin } of reads) {
        const text = await reference(origin);
        if (text === undefined) return undefined;
        texts.push(text);
      }
      return reads.length === 0 ? undefined : keyOf(...texts);
    },
    async digest() {
      if (reads.length === 0) return '';
      const digests: string[] = [];
      for (const read of reads) digests.push(await digestOf(read));
      return keyOf(...digests);
    },
    async sources() {
      const given: GivenSource[] = [];
      for (const read of reads) given.push(...(await selectedOf(read)).given);
      return given;
    },
    async lasting() {
      const [read, ...others] = reads;
      const root = read === undefined || others.length > 0 ? undefined : await walkOf(read);
      if (read === undefined || root === undefined) return undefined;
      const [only, ...more] = await digestedOf(read);
      return only === undefined || more.length > 0 ? undefined : { ...only, walk: root.walked.walk };
    },
    root: rootOf,
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(roots.values());
      for (const root of mounted.toReversed()) await root[Symbol.asyncDispose]();
    },
  };
}

function gitAccess({ request, signal, workshop }: Session): GitAccess {
  const sshSocket = request.ssh?.['default'];
  return {
    signal,
    knownHosts: join(workshop.directory, 'known_hosts'),
    proxies: workshop.options.proxyEnvironment ?? {},
    ...(sshSocket === undefined ? {} : { sshSocket }),
    ...(request.secrets === undefined ? {} : { secrets: request.secrets }),
  };
}

function nameOfOrigin(origin: Origin): string {
  switch (origin.kind) {
    case 'context':
      return 'context';
    case 'stage':
      return `stage ${origin.index}`;
    case 'image':
      return origin.image.id;
    case 'named-context':
      return `context ${origin.name}`;
    case 'url':
    case 'git':
      return JSON.stringify(origin);
  }
}
