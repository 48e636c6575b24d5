import { join } from 'node:path';
import { chainIdOf } from '../../../lib/oci/index.ts';
import { resolveInRoot } from '../../../lib/root-path.ts';
import { errorAt } from '../dockerfile/source.ts';
import { hasWildcard } from '../files/match.ts';
import { nameOf } from '../files/names.ts';
import { type SelectedSource, type SourceQuery, selectSource, type SourceRoot } from '../files/select.ts';
import { walkTree } from '../files/tree.ts';
import { keyOf } from '../plan/key.ts';
import type { GitOrigin, Origin, Step, UrlOrigin } from '../plan/plan.ts';
import { checkOutGit, type GitAccess, resolveCommit } from '../sources/git.ts';
import type { Download } from '../sources/downloads.ts';
import { inputDigest } from './inputs.ts';
import { located } from './located.ts';
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

interface Read {
  readonly origin: Origin;
  readonly query: SourceQuery;
  readonly unpacks: boolean;
}

export function openInputs({ session, step, results }: InputsOf): StepInputs {
  const { workshop, signal } = session;
  const mounted: MountedRoot[] = [];
  const roots = new Map<string, Promise<SourceRoot>>();
  const reads = readsOf(step);
  const commits = new Map<GitOrigin, Promise<string>>();
  const downloads = new Map<UrlOrigin, Promise<Download>>();
  let selected: Promise<readonly (readonly GivenSource[])[]> | undefined;

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

  async function select(): Promise<readonly (readonly GivenSource[])[]> {
    const given: (readonly GivenSource[])[] = [];
    for (const read of reads) given.push(await selectRead(read));
    return given;
  }

  async function selectRead({ origin, query, unpacks }: Read): Promise<readonly GivenSource[]> {
    if (origin.kind === 'url') {
      const { path } = await downloadOf(origin);
      const selectedFile = { name: nameOf(origin.fileName), directory: nameOf(path), entries: await walkTree(path) };
      return [{ selected: selectedFile, origin, unpacks }];
    }
    const sources = await selectOrThrow({ session, step, root: await rootOf(origin) }, { origin, query });
    return sources.map((source) => ({ selected: source, origin, unpacks }));
  }

  /** Of one read; a file that was fetched stands for itself. */
  async function digestOf({ origin }: Read, given: readonly GivenSource[]): Promise<string> {
    const remember = await isLasting(session, origin);
    const digested = await Promise.all(
      given.map(async ({ selected: source }) => ({
        source,
        contents: await workshop.digests.of(source, { remember, signal }),
      })),
    );
    return inputDigest(digested, { withOwners: origin.kind === 'stage' || origin.kind === 'image' });
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
      const given = await (selected ??= select());
      const digests: string[] = [];
      for (const [at, read] of reads.entries()) digests.push(await digestOf(read, given[at] ?? []));
      return keyOf(...digests);
    },
    sources: async () => (await (selected ??= select())).flat(),
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

async function isLasting(session: Session, origin: Origin): Promise<boolean> {
  if (origin.kind === 'context') return session.isContextLasting;
  return origin.kind === 'named-context' && (await session.namedContext(origin.name)).isLasting;
}

function readsOf(step: Step): readonly Read[] {
  const { action } = step;
  switch (action.kind) {
    case 'metadata':
    case 'workdir':
      return [];
    case 'copy':
      return action.sources.map(({ origin, path, parentsBelow, unpacks }) => ({
        origin,
        query: { path, parentsBelow, excludes: action.excludes },
        unpacks,
      }));
    case 'run':
      return action.mounts.flatMap((mount) => {
        const from = mount.type === 'bind' ? mount : mount.type === 'cache' ? mount.seed : undefined;
        return from === undefined ? [] : [{ origin: from.origin, query: { path: from.source }, unpacks: false }];
      });
  }
}

interface Selecting {
  readonly session: Session;
  readonly step: Step;
  readonly root: SourceRoot;
}

async function selectOrThrow(
  { session, step, root }: Selecting,
  { origin, query }: { readonly origin: Origin; readonly query: SourceQuery },
): Promise<readonly SelectedSource[]> {
  const selection = await selectSource(root, query, session.signal);
  const pattern = query.path;
  if (selection.kind === 'found') {
    if (selection.sources.length === 0 && hasWildcard(pattern)) {
      const message = `nothing matches "${pattern}"`;
      session.request.onProgress({ kind: 'warning', code: 'copy-nothing', message, line: step.position.line });
    }
    return selection.sources;
  }
  const place = placeOf(session, origin);
  const complaint = {
    missing: {
      code: 'copy-source-missing',
      kind: 'not-found' as const,
      message: `"${pattern}" is not in ${place}`,
      docker: missingInDockersWords(step, origin, pattern),
      fix: 'Correct the name (it is relative to that place), or make the file first.',
    },
    ignored: {
      code: 'copy-source-missing',
      kind: 'not-found' as const,
      message: `"${pattern}" is in ${place}, but .dockerignore excludes it`,
      docker: missingInDockersWords(step, origin, pattern),
      fix: `Add a line "!${pattern}" to .dockerignore, or do not copy it.`,
    },
    malformed: { message: `"${pattern}" is no valid pattern`, fix: 'Close the bracket, or escape it by a backslash.' },
  }[selection.kind];
  throw errorAt(session.plan.source, step.position, complaint);
}

function missingInDockersWords(step: Step, { kind }: Origin, pattern: string): string {
  const verb = step.action.kind === 'copy' && step.text.toUpperCase().startsWith('ADD') ? 'ADD' : 'COPY';
  const reason = kind === 'context' ? 'file not found in build context or excluded by .dockerignore: ' : '';
  return `${verb} failed: ${reason}stat ${pattern}: file does not exist`;
}

function placeOf(session: Session, origin: Origin): string {
  switch (origin.kind) {
    case 'image':
      return `the image ${origin.image.id.slice(0, 19)}`;
    case 'stage': {
      const stage = session.plan.stages.find(({ index }) => index === origin.index);
      return `the stage ${stage?.name ?? origin.index}`;
    }
    case 'named-context':
      return `the build context "${origin.name}"`;
    case 'url':
    case 'git':
      return 'what was fetched';
    case 'context': {
      const { context } = session.request;
      return context.kind === 'directory' ? `the build context ${context.path}` : 'the build context';
    }
  }
}
