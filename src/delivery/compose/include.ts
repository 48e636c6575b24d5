import { type ParsedFile, parseFile, type TreeContext } from './context.ts';
import { parseDotenv } from './dotenv.ts';
import { expected } from './kinds.ts';
import { dropDirectives } from './merge.ts';
import {
  childOf,
  isNull,
  joinPath,
  type MapNode,
  mapNode,
  type Node,
  nodeError,
  plainOf,
  withEntry,
  withoutEntry,
} from './node.ts';
import { unknownKey } from './object.ts';
import { absolutePath, isRemote, parentOf } from './paths.ts';
import { lookupIn } from './template.ts';

const SECTIONS = ['services', 'volumes', 'networks', 'secrets', 'configs', 'models'];
const KEYS = ['path', 'env_file', 'project_directory'];

type LoadTree = (files: readonly ParsedFile[], context: TreeContext) => MapNode;

/** Adds what the file's `include` names; a name that both define differently is an error. */
export function applyInclude(file: MapNode, context: TreeContext, loadTree: LoadTree): MapNode {
  const include = childOf(file, 'include');
  if (include === undefined || isNull(include)) return file;
  if (include.kind !== 'list') throw expected(include, 'include', 'a list of files');
  let result = file;
  for (const [index, item] of include.items.entries()) {
    const { files, context: inner } = openIncluded(item, joinPath('include', index), context);
    result = importAll(result, dropDirectives(loadTree(files, inner)), item);
  }
  return withoutEntry(result, 'include');
}

interface Request {
  readonly paths: readonly Node[];
  readonly envFiles: readonly Node[];
  readonly directory: string | undefined;
}

function requestOf(item: Node, at: string): Request {
  if (item.kind === 'scalar') return { paths: [item], envFiles: [], directory: undefined };
  if (item.kind !== 'map') throw expected(item, at, 'a path, or a mapping with "path"');
  for (const [key, entry] of item.entries) {
    if (!KEYS.includes(key)) throw unknownKey(key, entry.keyAt, joinPath(at, key), KEYS);
  }
  const directory = childOf(item, 'project_directory');
  return {
    paths: itemsOf(childOf(item, 'path')),
    envFiles: itemsOf(childOf(item, 'env_file')),
    directory: directory === undefined ? undefined : textAt(directory, at),
  };
}

function itemsOf(node: Node | undefined): readonly Node[] {
  if (node === undefined) return [];
  return node.kind === 'list' ? node.items : [node];
}

function textAt(node: Node, at: string): string {
  if (node.kind === 'scalar' && node.type === 'string') return node.value;
  throw expected(node, at, 'a path');
}

interface Opened {
  readonly files: readonly ParsedFile[];
  readonly context: TreeContext;
}

function openIncluded(item: Node, at: string, context: TreeContext): Opened {
  const request = requestOf(item, at);
  const files = request.paths.map((node) => {
    const path = absolutePath(textAt(node, at), context.directory);
    assertNoCircle(path, node, at, context);
    return { path, text: readOrFail(node, at, context) };
  });
  const [first] = files;
  if (first === undefined) throw nodeError(item, at, 'needs a "path"', 'Write the path of a Compose file.');
  const directory =
    request.directory === undefined ? parentOf(first.path) : absolutePath(request.directory, context.directory);
  const environment = includedEnvironment(request, directory, { at, context });
  const inner: TreeContext = {
    ...context,
    directory,
    lookup: (name) => context.lookup(name) ?? lookupIn(environment)(name),
  };
  return { files: files.map(({ path, text }) => parseFile(path, text, inner)), context: inner };
}

function assertNoCircle(path: string, node: Node, at: string, { included }: TreeContext): void {
  if (!included.includes(path)) return;
  throw nodeError(
    node,
    at,
    `files include each other in a circle: ${[...included, path].join(' → ')}`,
    'Break the circle.',
  );
}

function readOrFail(node: Node, at: string, context: TreeContext): string {
  const name = textAt(node, at);
  const path = absolutePath(name, context.directory);
  const text = context.readText(path);
  if (text !== undefined) return text;
  const fix = isRemote(name)
    ? 'Copy the file here: remote files are not fetched.'
    : `Create ${path}, or correct the path.`;
  throw nodeError(node, at, `there is no file ${name}`, fix);
}

/** The variables of the included project: its env_file, else the `.env` of its directory. */
function includedEnvironment(
  request: Request,
  directory: string,
  { at, context }: { readonly at: string; readonly context: TreeContext },
): Record<string, string> {
  const { lookup } = context;
  if (request.envFiles.length === 0) {
    const path = `${directory}/.env`;
    return parseDotenv(context.readText(path) ?? '', { path, lookup });
  }
  const files = request.envFiles
    .filter((node) => textAt(node, at) !== '/dev/null')
    .map((node) => parseDotenv(readOrFail(node, at, context), { path: textAt(node, at), lookup }));
  return Object.assign({}, ...files) as Record<string, string>;
}

function importAll(target: MapNode, imported: MapNode, item: Node): MapNode {
  return SECTIONS.reduce((result, section) => {
    const from = childOf(imported, section);
    return from?.kind === 'map' ? importSection(result, section, { from, item }) : result;
  }, target);
}

function importSection(
  target: MapNode,
  section: string,
  { from, item }: { readonly from: MapNode; readonly item: Node },
): MapNode {
  const own = childOf(target, section);
  const to = own?.kind === 'map' ? own : mapNode(from.at, []);
  for (const [name, entry] of from.entries) {
    const present = to.entries.get(name);
    if (present === undefined || sameValue(present.value, entry.value)) continue;
    throw nodeError(
      item,
      `${section}.${name}`,
      `"${name}" is defined here and in an included file, differently`,
      'Rename one of the two.',
    );
  }
  return withEntry(target, section, { ...to, entries: new Map([...from.entries, ...to.entries]) });
}

function sameValue(a: Node, b: Node): boolean {
  return JSON.stringify(sorted(plainOf(a))) === JSON.stringify(sorted(plainOf(b)));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, sorted(one)]),
  );
}
