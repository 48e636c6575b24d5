import {
  type Document,
  isAlias,
  isCollection,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseAllDocuments,
  type YAMLMap,
  type ParsedNode,
} from 'yaml';
import { composeError } from './errors.ts';
import {
  type Directive,
  type Entry,
  kindOf,
  type ListNode,
  listNode,
  type MapNode,
  mapNode,
  type Node,
  nullNode,
  type ScalarNode,
} from './node.ts';
import type { Position, Source } from './position.ts';
import { resolvePlain } from './scalar.ts';

/** More nodes than this after aliases are followed is an attack, not a Compose file. */
const MAXIMUM_NODES = 200_000;
const MAXIMUM_DEPTH = 200;

/** The mappings of a Compose file, one a YAML document. Throws `compose-invalid` with the place. */
export function parseCompose(text: string, source: Source): readonly MapNode[] {
  const lines = new LineCounter();
  const documents = parseAllDocuments(text, {
    schema: 'failsafe',
    lineCounter: lines,
    prettyErrors: false,
    version: '1.2',
  });
  if (!Array.isArray(documents)) throw emptyFile(source);
  const reader = new TreeReader(source, lines);
  const maps = documents.flatMap((document) => {
    reader.assertValid(document);
    if (document.contents === null) return [];
    return [reader.topLevel(document)];
  });
  if (maps.length === 0) throw emptyFile(source);
  return maps;
}

function emptyFile(source: Source) {
  return composeError({
    at: { source, line: 1, column: 1 },
    message: 'the Compose file is empty',
    fix: 'Describe at least one service under "services:".',
  });
}

/** Turns the YAML library's tree into ours: aliases and merge keys followed, scalars resolved. */
class TreeReader {
  readonly #source: Source;
  readonly #lines: LineCounter;
  #count = 0;
  #document: Document | undefined;
  readonly #open = new Set<unknown>();

  constructor(source: Source, lines: LineCounter) {
    this.#source = source;
    this.#lines = lines;
  }

  assertValid(document: Document.Parsed): void {
    const [error] = document.errors;
    if (error === undefined) return;
    throw composeError({
      at: this.#position(error.pos[0]),
      message: `not valid YAML: ${error.message}`,
      fix: 'Correct the YAML at this place; indent with spaces, quote text that holds ": " or " #".',
      cause: error,
    });
  }

  topLevel(document: Document.Parsed): MapNode {
    this.#document = document;
    const node = this.#node(document.contents);
    if (node.kind === 'map') return node;
    throw composeError({
      at: node.at,
      message: `the top level must be a mapping, not ${kindOf(node)}`,
      fix: 'Start the file with keys such as "services:".',
    });
  }

  #position(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { source: this.#source, line: Math.max(1, line), column: Math.max(1, col) };
  }

  #node(node: ParsedNode | null): Node {
    if (node === null) return nullNode(this.#position(0));
    const at = this.#position(node.range[0]);
    this.#guard(node, at);
    this.#open.add(node);
    const result = this.#convert(node, at);
    this.#open.delete(node);
    return result;
  }

  #guard(node: ParsedNode, at: Position): void {
    this.#count += 1;
    if (this.#open.has(node)) {
      throw composeError({
        at,
        message: 'this value contains itself',
        fix: 'Remove the alias that points to its own parent.',
      });
    }
    if (this.#count > MAXIMUM_NODES || this.#open.size > MAXIMUM_DEPTH) {
      throw composeError({
        at,
        message: 'the file is too large after its aliases are followed',
        fix: 'Use fewer nested aliases.',
      });
    }
  }

  #convert(node: ParsedNode, at: Position): Node {
    if (isAlias(node)) {
      const target = this.#document === undefined ? undefined : node.resolve(this.#document);
      if (target === undefined) {
        throw composeError({
          at,
          message: `unknown alias *${node.source}`,
          fix: `Define &${node.source} before it is used.`,
        });
      }
      return this.#node(target as ParsedNode);
    }
    if (isScalar(node)) return this.#scalar(node, at);
    const directive = this.#directive(node.tag, at);
    const result = isSeq(node) ? this.#list(node.items, at) : this.#map(node, at);
    return directive === undefined ? result : { ...result, directive };
  }

  #list(items: readonly ParsedNode[], at: Position): ListNode {
    return listNode(
      at,
      items.map((item) => this.#node(item)),
    );
  }

  #map(map: YAMLMap, at: Position): MapNode {
    const merged: MapNode[] = [];
    const own: [string, Entry][] = [];
    for (const pair of map.items as Pair<ParsedNode, ParsedNode | null>[]) {
      const keyAt = this.#position(pair.key?.range?.[0] ?? 0);
      const value = pair.value === null ? nullNode(keyAt) : this.#node(pair.value);
      if (isScalar(pair.key) && pair.key.type === 'PLAIN' && pair.key.value === '<<')
        merged.push(...this.#mergeSources(value));
      else own.push([this.#key(pair.key, keyAt), { keyAt, value }]);
    }
    return mapNode(at, [...merged.toReversed().flatMap((one) => [...one.entries]), ...own]);
  }

  /** What `<<` names, the strongest first. */
  #mergeSources(value: Node): readonly MapNode[] {
    const sources = value.kind === 'list' ? value.items : [value];
    return sources.map((one) => {
      if (one.kind === 'map') return one;
      throw composeError({
        at: one.at,
        message: `"<<" merges mappings, not ${kindOf(one)}`,
        fix: 'Write <<: *name of a mapping.',
      });
    });
  }

  #key(key: ParsedNode | null, at: Position): string {
    const target = isAlias(key) && this.#document !== undefined ? key.resolve(this.#document) : key;
    if (!isScalar(target) || isCollection(target)) {
      throw composeError({
        at,
        message: 'a key must be a string',
        fix: 'Write a plain or quoted word before the colon.',
      });
    }
    const text = String(target.value ?? '');
    const type = target.type === 'PLAIN' ? resolvePlain(text).type : 'string';
    if (type === 'string') return text;
    throw composeError({ at, message: `the key ${text} is not a string`, fix: `Put quotes around it: "${text}":` });
  }

  #scalar(node: { tag?: string; type?: string; value: unknown }, at: Position): ScalarNode {
    const text = String(node.value ?? '');
    const directive = this.#directive(node.tag, at);
    const resolved = isText(node) ? ({ type: 'string', value: text } as const) : resolvePlain(text);
    return { kind: 'scalar', at, ...resolved, ...(directive !== undefined && { directive }) };
  }

  #directive(tag: string | undefined, at: Position): Directive | undefined {
    if (tag === undefined || tag.startsWith('tag:yaml.org,2002:')) return undefined;
    if (tag === '!reset') return 'reset';
    if (tag === '!override') return 'override';
    if (tag === '!') return undefined;
    throw composeError({ at, message: `unknown tag ${tag}`, fix: 'Compose knows !reset and !override.' });
  }
}

/** Whether a scalar is text as it stands: quoted, a block, or tagged as a string. */
function isText(node: { tag?: string; type?: string }): boolean {
  if (node.tag === 'tag:yaml.org,2002:str' || node.tag === '!') return true;
  return node.type !== 'PLAIN' && (node.tag === undefined || node.tag.startsWith('!'));
}
