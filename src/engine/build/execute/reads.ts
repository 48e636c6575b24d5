import { errorAt } from '../dockerfile/source.ts';
import { hasWildcard } from '../files/match.ts';
import { type SelectedSource, type SourceQuery, selectSource, type SourceRoot } from '../files/select.ts';
import type { Origin, Step } from '../plan/plan.ts';
import type { Session } from './session.ts';

/** One place that a step reads. */
export interface Read {
  readonly origin: Origin;
  readonly query: SourceQuery;
  readonly unpacks: boolean;
}

/** Whether the files will be there for the next build under the same names. */
export async function isLasting(session: Session, origin: Origin): Promise<boolean> {
  if (origin.kind === 'context') return session.isContextLasting;
  return origin.kind === 'named-context' && (await session.namedContext(origin.name)).isLasting;
}

export function readsOf(step: Step): readonly Read[] {
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

/** @throws UserError `copy-source-missing` */
export async function selectOrThrow(
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
