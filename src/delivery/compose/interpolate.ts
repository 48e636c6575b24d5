import { joinPath, type Node, nodeError, stringNode } from './node.ts';
import { fillTemplate, type Lookup } from './template.ts';

export interface Interpolation {
  readonly lookup: Lookup;
  /** Told once for each use of a variable that is not set. */
  readonly onUnset: (name: string) => void;
}

/** Fills in the variables in every string value of a tree; keys stay as they are. Throws `compose-invalid`. */
export function interpolate<T extends Node>(node: T, how: Interpolation, path?: string): T;
export function interpolate(node: Node, how: Interpolation, path = ''): Node {
  switch (node.kind) {
    case 'scalar': {
      if (node.type !== 'string' || !node.value.includes('$')) return node;
      const filled = fillTemplate(node.value, how.lookup, { onUnset: how.onUnset });
      if (typeof filled === 'object') throw nodeError(node, path, filled.problem, filled.fix);
      return { ...stringNode(node.at, filled), ...(node.directive !== undefined && { directive: node.directive }) };
    }
    case 'list':
      return { ...node, items: node.items.map((item, index) => interpolate(item, how, joinPath(path, index))) };
    case 'map': {
      const entries = [...node.entries].map(
        ([key, entry]) => [key, { ...entry, value: interpolate(entry.value, how, joinPath(path, key)) }] as const,
      );
      return { ...node, entries: new Map(entries) };
    }
  }
}
