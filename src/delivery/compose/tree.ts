import { type ComposeText, parseFile, type TreeContext } from './context.ts';
import { composeError } from './errors.ts';
import { applyExtends } from './extends.ts';
import { applyInclude } from './include.ts';
import { interpolate } from './interpolate.ts';
import { mergeNodes } from './merge.ts';
import type { MapNode } from './node.ts';

/** The files merged into one tree, with variables filled in and `extends` and `include` applied. */
export function loadTree(files: readonly ComposeText[], context: TreeContext): MapNode {
  const parsed = files.map((file) => ({ file, documents: parseFile(file, context) }));
  let merged: MapNode | undefined;
  for (const { file, documents } of parsed) {
    for (const document of documents) {
      const filled = interpolate(document, context);
      const extended = applyExtends(filled, file.path, context);
      const complete = applyInclude(extended, { ...context, included: [...context.included, file.path] }, loadTree);
      merged = merged === undefined ? complete : mergeNodes(merged, complete);
    }
  }
  if (merged !== undefined) return merged;
  throw composeError({ message: 'no Compose file was given', fix: 'Pass at least one file.' });
}
