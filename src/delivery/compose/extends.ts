import { parseFile, type TreeContext } from './context.ts';
import { interpolate } from './interpolate.ts';
import { dropDirectives, mergeNodes } from './merge.ts';
import { childOf, isNull, type MapNode, type Node, nodeError, textOf, withEntry, withoutEntry } from './node.ts';
import { unknownKey } from './object.ts';
import { absolutePath, isRemote, parentOf } from './paths.ts';

/** The services of one file, with where it is and what its relative paths are resolved against. */
interface Scope {
  readonly services: MapNode;
  readonly path: string;
  readonly context: TreeContext;
}

/** Replaces `extends` of every service of a file by what it names, merged under the service. */
export function applyExtends(file: MapNode, path: string, context: TreeContext): MapNode {
  const services = childOf(file, 'services');
  if (services?.kind !== 'map') return file;
  const scope: Scope = { services, path, context };
  const entries = [...services.entries].map(
    ([name, entry]) => [name, { ...entry, value: extended(name, scope, []) }] as const,
  );
  const value: MapNode = { ...services, entries: new Map(entries) };
  return withEntry(file, 'services', value);
}

/** A service with everything that it extends under it. `chain` holds the services on the way, for circles. */
function extended(name: string, scope: Scope, chain: readonly string[]): Node {
  const service = scope.services.entries.get(name)?.value as Node;
  const reference = childOf(service, 'extends');
  if (service.kind !== 'map' || reference === undefined || reference.directive === 'reset') return service;
  const link = `${scope.path}: ${name}`;
  const at = `services.${name}.extends`;
  if (chain.includes(link)) {
    throw nodeError(
      reference,
      at,
      `services extend each other in a circle: ${[...chain, link].join(' → ')}`,
      'Break the circle.',
    );
  }
  const { target, base } = resolve(reference, at, scope);
  const parent = extended(target, base, [...chain, link]);
  const own = withoutEntry(service, 'extends');
  if (parent.kind !== 'map') return own;
  return mergeNodes(dropDirectives(withoutEntry(parent, 'extends')), own, ['services', name]);
}

function resolve(reference: Node, at: string, scope: Scope): { readonly target: string; readonly base: Scope } {
  const { service, file } = partsOf(reference, at);
  const target = textOfScalar(service, at);
  const base = file === undefined ? scope : openBase(file, at, scope);
  if (base.services.entries.has(target)) return { target, base };
  const where = file === undefined ? '' : ` in ${textOfScalar(file, at)}`;
  throw nodeError(
    reference,
    at,
    `there is no service "${target}"${where}`,
    `Services there: ${[...base.services.entries.keys()].join(', ')}.`,
  );
}

function partsOf(reference: Node, at: string): { readonly service: Node; readonly file: Node | undefined } {
  if (reference.kind !== 'map') return { service: reference, file: undefined };
  for (const [key, entry] of reference.entries) {
    if (key !== 'service' && key !== 'file') throw unknownKey(key, entry.keyAt, `${at}.${key}`, ['service', 'file']);
  }
  const service = childOf(reference, 'service');
  if (service === undefined) throw nodeError(reference, at, 'needs the key "service"', 'Name the service to extend.');
  const file = childOf(reference, 'file');
  return { service, file: file === undefined || isNull(file) ? undefined : file };
}

function textOfScalar(node: Node, at: string): string {
  if (node.kind === 'scalar' && node.type === 'string') return textOf(node);
  throw nodeError(node, at, 'must be a string', 'Write the name of a service.');
}

/** The other file's services, their relative paths resolved against its own folder. */
function openBase(file: Node, at: string, scope: Scope): Scope {
  const name = textOfScalar(file, at);
  const path = absolutePath(name, scope.context.directory);
  const text = scope.context.readText(path);
  if (text === undefined) {
    const fix = isRemote(name)
      ? 'Copy the file here: remote files are not fetched.'
      : `Create ${path}, or correct the path.`;
    throw nodeError(file, at, `there is no file ${name}`, fix);
  }
  const context: TreeContext = { ...scope.context, directory: parentOf(path) };
  const [document] = parseFile(path, text, context).documents;
  const filled = interpolate(document as MapNode, context);
  const services = childOf(filled, 'services');
  if (services?.kind !== 'map') throw nodeError(file, at, `${name} has no services`, 'Name a file with "services:".');
  return { services, path, context };
}
