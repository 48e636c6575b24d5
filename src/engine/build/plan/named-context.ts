import { familiarString, parseReference } from '../../../lib/oci/index.ts';
import type { CopyAction, NamedContext, PlanInput } from './plan.ts';

/** What `--build-context` gives for a name, in any case and spelling of a reference (`alpine` is `alpine:latest`). */
export function namedContextOf(
  { namedContexts }: Pick<PlanInput, 'namedContexts'>,
  name: string,
): { readonly key: string; readonly context: NamedContext } | undefined {
  if (namedContexts === undefined || ['', 'scratch', 'context'].includes(name.toLowerCase())) return undefined;
  const wanted = normalized(name);
  for (const [key, context] of namedContexts) if (normalized(key) === wanted) return { key, context };
  return undefined;
}

function normalized(name: string): string {
  const text = name.toLowerCase();
  try {
    return familiarString(parseReference(text));
  } catch {
    return text;
  }
}

/** A stage that begins with the files of a named context. */
export function copyOfContext(key: string): CopyAction {
  return {
    kind: 'copy',
    sources: [{ origin: { kind: 'named-context', name: key }, path: '.', parentsBelow: undefined, unpacks: false }],
    inlineFiles: [],
    destination: '/',
    intoDirectory: true,
    chown: undefined,
    chmod: undefined,
    excludes: [],
    isLinked: false,
  };
}
