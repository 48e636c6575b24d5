import { unreachable } from '../../../lib/errors.ts';
import { chainIdOf } from '../../../lib/oci/index.ts';
import { errorAt } from '../dockerfile/source.ts';
import { hasWildcard } from '../files/match.ts';
import { type SelectedSource, selectSource, type SourceRoot } from '../files/select.ts';
import { keyOf } from '../plan/key.ts';
import type { Origin, Step } from '../plan/plan.ts';
import { type DigestedSource, inputDigest } from './inputs.ts';
import type { MountedRoot } from './mounts.ts';
import type { Session } from './session.ts';
import { resultOf, type StageResults } from './stage-result.ts';

/** What a step reads beside the state it begins with. Disposing unmounts what had to be mounted. */
export interface StepInputs extends AsyncDisposable {
  /** Stands for the content without reading it; undefined where only the content tells (the context). */
  references(): Promise<string | undefined>;
  /** Digest of the content. */
  digest(): Promise<string>;
  /** What a COPY names. @throws UserError `copy-source-missing` */
  sources(): Promise<readonly SelectedSource[]>;
  /** The root that an origin means, mounted where it has to be. */
  root(origin: Origin): Promise<SourceRoot>;
}

interface InputsOf {
  readonly session: Session;
  readonly step: Step;
  readonly results: StageResults;
}

interface Read {
  readonly origin: Origin;
  readonly patterns: readonly string[];
}

export function openInputs({ session, step, results }: InputsOf): StepInputs {
  const mounted: MountedRoot[] = [];
  const roots = new Map<string, Promise<SourceRoot>>();
  const reads = readsOf(step);
  let selected: Promise<readonly SelectedSource[]> | undefined;

  async function mountOrigin(origin: Origin): Promise<SourceRoot> {
    if (origin.kind === 'context') return session.context;
    if (origin.kind !== 'image' && origin.kind !== 'stage') throw new Error(`no origin ${origin.kind} yet`);
    const { images } = session.workshop.options;
    const layers =
      origin.kind === 'image' ? images.layersOf(origin.image.id) : (await resultOf(results, origin.index)).layers;
    const root = await session.workshop.mounts.root(layers.map(({ directory }) => directory));
    mounted.push(root);
    return { directory: root.path, ignore: undefined };
  }

  function rootOf(origin: Origin): Promise<SourceRoot> {
    const name =
      origin.kind === 'stage' ? `stage ${origin.index}` : origin.kind === 'image' ? origin.image.id : 'context';
    const root = roots.get(name) ?? mountOrigin(origin);
    roots.set(name, root);
    return root;
  }

  async function select(): Promise<readonly SelectedSource[]> {
    const sources: SelectedSource[] = [];
    for (const { origin, patterns } of reads) {
      for (const pattern of patterns) {
        sources.push(...(await selectOrThrow({ session, step, root: await rootOf(origin) }, { origin, pattern })));
      }
    }
    return sources;
  }

  return {
    async references() {
      const texts: string[] = [];
      for (const { origin } of reads) {
        const text = await referenceOf(origin, results);
        if (text === undefined) return undefined;
        texts.push(text);
      }
      return reads.length === 0 ? undefined : keyOf(...texts);
    },
    async digest() {
      if (reads.length === 0) return '';
      const isContext = reads.every(({ origin }) => origin.kind === 'context');
      const digested: DigestedSource[] = [];
      selected ??= select();
      for (const source of await selected) {
        const remember = isContext && session.isContextLasting;
        const contents = await session.workshop.digests.of(source, { remember, signal: session.signal });
        digested.push({ source, contents });
      }
      return inputDigest(digested, { withOwners: !isContext });
    },
    sources: () => (selected ??= select()),
    root: rootOf,
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(roots.values());
      for (const root of mounted.toReversed()) await root[Symbol.asyncDispose]();
    },
  };
}

function readsOf(step: Step): readonly Read[] {
  const { action } = step;
  switch (action.kind) {
    case 'metadata':
    case 'workdir':
      return [];
    case 'copy':
      return action.sources.map(({ origin, path }) => ({ origin, patterns: [path] }));
    case 'run':
      return action.mounts.flatMap((mount) =>
        mount.type === 'bind' ? [{ origin: mount.origin, patterns: [mount.source] }] : [],
      );
    default:
      return unreachable(action);
  }
}

async function referenceOf(origin: Origin, results: StageResults): Promise<string | undefined> {
  switch (origin.kind) {
    case 'context':
      return undefined;
    case 'stage':
      return (await resultOf(results, origin.index)).key;
    case 'image':
      return keyOf('layers', chainIdOf(origin.image.config.rootfs.diff_ids) ?? '');
    case 'named-context':
    case 'url':
    case 'git':
      return undefined;
  }
}

interface Selecting {
  readonly session: Session;
  readonly step: Step;
  readonly root: SourceRoot;
}

async function selectOrThrow(
  { session, step, root }: Selecting,
  { origin, pattern }: { readonly origin: Origin; readonly pattern: string },
): Promise<readonly SelectedSource[]> {
  const selection = await selectSource(root, pattern, session.signal);
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
      fix: 'Correct the name (it is relative to that place), or make the file first.',
    },
    ignored: {
      code: 'copy-source-missing',
      kind: 'not-found' as const,
      message: `"${pattern}" is in ${place}, but .dockerignore excludes it`,
      fix: `Add a line "!${pattern}" to .dockerignore, or do not copy it.`,
    },
    malformed: { message: `"${pattern}" is no valid pattern`, fix: 'Close the bracket, or escape it by a backslash.' },
  }[selection.kind];
  throw errorAt(session.plan.source, step.position, complaint);
}

function placeOf(session: Session, origin: Origin): string {
  if (origin.kind === 'image') return `the image ${origin.image.id.slice(0, 19)}`;
  if (origin.kind === 'stage') {
    const stage = session.plan.stages.find(({ index }) => index === origin.index);
    return `the stage ${stage?.name ?? origin.index}`;
  }
  const { context } = session.request;
  return context.kind === 'directory' ? `the build context ${context.path}` : 'the build context';
}
