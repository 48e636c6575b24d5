import type { ParsedFile, TreeContext } from './context.ts';
import { composeError } from './errors.ts';
import { applyExtends } from './extends.ts';
import { applyInclude } from './include.ts';
import { interpolate } from './interpolate.ts';
import { mergeNodes } from './merge.ts';
import type { MapNode } from './node.ts';

/** The files merged into one tree, with variables filled in and `extends` and `include` applied. */
export function loadTree(files: readonly ParsedFile[], context: TreeContext): MapNode {
  let merged: MapNode | undefined;
  for (const { path, documents } of files) {
    for (const document of documents) {
      const filled = interpolate(document, context);
      const extended = applyExtends(filled, path, context);
      const complete = applyInclude(extended, { ...context, included: [...context.included, path] }, loadTree);
      merged = merged === undefined ? complete : mergeNodes(merged, complete);
    }
  }
  if (merged !== undefined) return merged;
  throw composeError({ message: 'no Compose file was given', fix: 'Pass at least one file.' });
}
