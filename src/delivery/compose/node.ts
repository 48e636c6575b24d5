import type { UserError } from '../../lib/errors.ts';
import { composeError } from './errors.ts';
import type { Position } from './position.ts';

/** `!reset` removes what earlier files said, `!override` replaces it instead of merging. */
export type Directive = 'reset' | 'override';

interface NodeBase {
  readonly at: Position;
  readonly directive?: Directive;
}

export type ScalarNode = NodeBase & { readonly kind: 'scalar' } & (
    | { readonly type: 'string'; readonly value: string }
    | { readonly type: 'int' | 'float'; readonly value: number; /** as Go prints it */ readonly text: string }
    | { readonly type: 'bool'; readonly value: boolean }
    | { readonly type: 'null'; readonly value: null }
  );
export interface ListNode extends NodeBase {
  readonly kind: 'list';
  readonly items: readonly Node[];
}
export interface MapNode extends NodeBase {
  readonly kind: 'map';
  readonly entries: ReadonlyMap<string, Entry>;
}
export interface Entry {
  readonly keyAt: Position;
  readonly value: Node;
}
/** A YAML value that knows where it was written. Immutable; stages make new trees. */
export type Node = ScalarNode | ListNode | MapNode;

export function isNull(node: Node): boolean {
  return node.kind === 'scalar' && node.type === 'null';
}

export function stringNode(at: Position, value: string): ScalarNode {
  return { kind: 'scalar', type: 'string', at, value };
}

export function nullNode(at: Position): ScalarNode {
  return { kind: 'scalar', type: 'null', at, value: null };
}

export function mapNode(at: Position, entries: Iterable<readonly [string, Entry]>): MapNode {
  return { kind: 'map', at, entries: new Map(entries) };
}

export function listNode(at: Position, items: readonly Node[]): ListNode {
  return { kind: 'list', at, items };
}

/** The value of `key` where the node is a mapping that has it. */
export function childOf(node: Node | undefined, key: string): Node | undefined {
  return node?.kind === 'map' ? node.entries.get(key)?.value : undefined;
}

/** The text of a scalar as Compose prints it where a string is made of it: `1.0` is `1`, null is empty. */
export function textOf(node: ScalarNode): string {
  switch (node.type) {
    case 'string':
      return node.value;
    case 'int':
    case 'float':
      return node.text;
    case 'bool':
      return String(node.value);
    case 'null':
      return '';
  }
}

/** The plain JavaScript value. */
export function plainOf(node: Node): unknown {
  switch (node.kind) {
    case 'scalar':
      return node.value;
    case 'list':
      return node.items.map(plainOf);
    case 'map':
      return Object.fromEntries([...node.entries].map(([key, entry]) => [key, plainOf(entry.value)]));
  }
}

/** What a node is, for messages. */
export function kindOf(node: Node): string {
  if (node.kind === 'list') return 'a list';
  if (node.kind === 'map') return 'a mapping';
  const names = { string: 'a string', int: 'a number', float: 'a number', bool: 'a boolean', null: 'empty' };
  return names[node.type];
}

/** `services.web` + `ports` → `services.web.ports`; a number becomes `[n]`. */
export function joinPath(path: string, key: string | number): string {
  if (typeof key === 'number') return `${path}[${key}]`;
  return path === '' ? key : `${path}.${key}`;
}

/** The mapping with one entry set. */
export function withEntry(map: MapNode, key: string, value: Node): MapNode {
  const entry: Entry = { keyAt: map.entries.get(key)?.keyAt ?? value.at, value };
  return { ...map, entries: new Map([...map.entries, [key, entry]]) };
}

export function withoutEntry(map: MapNode, key: string): MapNode {
  const entries = new Map(map.entries);
  entries.delete(key);
  return { ...map, entries };
}

/** The node at a path of keys, or its nearest ancestor that exists. In a list of names a key is the name. */
export function nearestAt(root: Node, keys: readonly (string | number)[]): Node {
  let node = root;
  for (const key of keys) {
    const next = stepInto(node, key);
    if (next === undefined) break;
    node = next;
  }
  return node;
}

function stepInto(node: Node, key: string | number): Node | undefined {
  if (node.kind !== 'list') return childOf(node, String(key));
  if (typeof key === 'number') return node.items[key];
  return node.items.find((item) => item.kind === 'scalar' && item.value === key);
}

/** An error about a node. */
export function nodeError(node: { readonly at: Position }, path: string, message: string, fix: string): UserError {
  return composeError({ at: node.at, path, message, fix });
}
