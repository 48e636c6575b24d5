import { readInRoot } from '../../../lib/root-path.ts';
import type { ImageRecord } from '../../image/index.ts';
import type { NamedContext } from '../face.ts';
import { parseIgnore } from '../files/ignore.ts';
import type { NamedContext as PlannedContext } from '../plan/plan.ts';
import { openFiles } from './context.ts';
import type { Fetching } from './fetching.ts';
import type { NamedFiles } from './session.ts';

/** What `--build-context` gives, for planning and for the steps. */
export interface NamedContexts {
  readonly planned: ReadonlyMap<string, PlannedContext>;
  /** Fetched when the first step asks. */
  files(name: string): Promise<NamedFiles>;
}

type ImageContext = Extract<NamedContext, { readonly kind: 'image' | 'oci-layout' }>;
type FilesContext = Exclude<NamedContext, ImageContext>;

/** @param imageOf gives the image of a reference or of an OCI layout; pulled or loaded where it has to be */
export async function openNamedContexts(
  contexts: Readonly<Record<string, NamedContext>>,
  o: Fetching & { imageOf(context: ImageContext): Promise<ImageRecord> },
): Promise<NamedContexts> {
  const planned = new Map<string, PlannedContext>();
  const sources = new Map<string, FilesContext>();
  await Promise.all(
    Object.entries(contexts).map(async ([name, context]) => {
      if (context.kind === 'image' || context.kind === 'oci-layout') {
        const { id, config } = await o.imageOf(context);
        planned.set(name, { kind: 'image', image: { id, config } });
      } else {
        sources.set(name, context);
        planned.set(name, { kind: 'files' });
      }
    }),
  );
  const opened = new Map<string, Promise<NamedFiles>>();
  return {
    planned,
    files(name) {
      const context = sources.get(name);
      if (context === undefined) throw new Error(`no files were given under the name ${name}`);
      const files = opened.get(name) ?? openNamedFiles(context, o);
      opened.set(name, files);
      return files;
    },
  };
}

/** A folder may have a .dockerignore of its own. */
async function openNamedFiles(context: FilesContext, o: Fetching): Promise<NamedFiles> {
  const { directory, isLasting } = await openFiles(context, o);
  const ignore = await readInRoot(directory, '.dockerignore');
  return { root: { directory, ignore: parseIgnore(ignore) }, isLasting };
}
