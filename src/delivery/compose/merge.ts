import {
  childOf,
  type Entry,
  isNull,
  joinPath,
  kindOf,
  listNode,
  type MapNode,
  mapNode,
  type Node,
  nodeError,
  stringNode,
  textOf,
} from './node.ts';

/**
 * Merges a later Compose file (or an extending service) over an earlier one by Compose's rules:
 * mappings key by key, lists appended, scalars replaced, and the exceptions in `RULES`. `!reset` and
 * `!override` in the later one remove or replace. Duplicate list entries are dropped when values are read.
 */
export function mergeNodes(base: MapNode, over: MapNode, path: readonly string[] = []): MapNode {
  const entries = new Map(base.entries);
  for (const [key, entry] of over.entries) entries.set(key, mergeEntry(entries.get(key), entry, [...path, key]));
  return { ...base, entries };
}

/** Removes what `!reset` marks and the mark of `!override`: for trees that nothing is merged under any more. */
export function dropDirectives(node: MapNode): MapNode {
  const entries = new Map<string, Entry>();
  for (const [key, entry] of node.entries) {
    const value = settled(entry.value);
    if (value !== undefined) entries.set(key, { ...entry, value });
  }
  return mapNode(node.at, entries);
}

function settled(node: Node): Node | undefined {
  if (node.directive === 'reset') return undefined;
  if (node.kind === 'map') return dropDirectives(node);
  if (node.kind === 'scalar') {
    const { directive: _, ...rest } = node;
    return rest;
  }
  return listNode(
    node.at,
    node.items.map(settled).filter((item) => item !== undefined),
  );
}

/** Directives stay until `dropDirectives`: an extending service's `!reset` counts for earlier files, too. */
function mergeEntry(base: Entry | undefined, over: Entry, path: readonly string[]): Entry {
  const replaces = over.value.directive !== undefined || path.at(-1)?.startsWith('x-') === true;
  if (base === undefined || base.value.directive === 'reset' || replaces) return over;
  const value = mergeValue(base.value, over.value, path);
  const { directive } = base.value;
  return { keyAt: over.keyAt, value: directive === undefined ? value : { ...value, directive } };
}

function mergeValue(base: Node, over: Node, path: readonly string[]): Node {
  if (isNull(over) && base.kind !== 'scalar') return base;
  if (isNull(base) && over.kind !== 'scalar') return over;
  const rule = RULES.find((one) => matches(one.pattern, path));
  return rule === undefined ? mergePlain(base, over, path) : rule.merge(base, over, path);
}

function mergePlain(base: Node, over: Node, path: readonly string[]): Node {
  if (base.kind === 'scalar') return over;
  if (base.kind === 'map' && over.kind === 'map') return mergeNodes(base, over, path);
  if (base.kind === 'list' && over.kind === 'list') return listNode(over.at, [...base.items, ...over.items]);
  throw nodeError(
    over,
    path.reduce(joinPath, ''),
    `cannot merge ${kindOf(over)} over ${kindOf(base)} of an earlier file`,
    'Write it in the same form as the earlier file, or replace it with !override.',
  );
}

type Merge = (base: Node, over: Node, path: readonly string[]) => Node;
/** Brings one side into the form in which both can be merged. */
type Form = (node: Node) => Node;

const replace: Merge = (_base, over) => over;
const as =
  (form: Form): Merge =>
  (base, over, path) =>
    mergePlain(form(base), form(over), path);

/** `[A=1, B]` → `{A: 1, B: null}`. */
const asMapping: Form = (node) => {
  if (node.kind !== 'list') return node;
  return mapNode(
    node.at,
    node.items.map((item) => {
      const [key, value] = cut(item.kind === 'scalar' ? textOf(item) : '', '=');
      const plain: Node =
        value === undefined ? { kind: 'scalar', type: 'null', value: null, at: item.at } : stringNode(item.at, value);
      return [key, { keyAt: item.at, value: plain }] as const;
    }),
  );
};
const asList: Form = (node) => (node.kind === 'scalar' ? listNode(node.at, [node]) : node);
/** `[a, b]` → `{a: <value>, b: <value>}`. */
const asKeysOf =
  (value: (item: Node) => Node): Form =>
  (node) => {
    if (node.kind !== 'list') return node;
    return mapNode(
      node.at,
      node.items.map((item) => [item.kind === 'scalar' ? textOf(item) : '', { keyAt: item.at, value: value(item) }]),
    );
  };
const asKeys = asKeysOf((item) => ({ kind: 'scalar', type: 'null', value: null, at: item.at }));
const asConditions = asKeysOf((item) =>
  mapNode(item.at, [
    ['condition', { keyAt: item.at, value: stringNode(item.at, 'service_started') }],
    ['required', { keyAt: item.at, value: { kind: 'scalar', type: 'bool', value: true, at: item.at } }],
  ]),
);
const asBuild: Form = (node) =>
  node.kind === 'scalar' ? mapNode(node.at, [['context', { keyAt: node.at, value: node }]]) : node;
/** `{a: 1.1.1.1}` → `[a=1.1.1.1]`. */
const asHosts: Form = (node) => {
  if (node.kind !== 'map') return node;
  const items = [...node.entries].flatMap(([host, { value }]) =>
    (value.kind === 'list' ? value.items : [value]).map((address) =>
      stringNode(address.at, `${host}=${address.kind === 'scalar' ? textOf(address) : ''}`),
    ),
  );
  return listNode(node.at, items);
};

/** Options are merged only under the same driver. */
const mergeLogging: Merge = (base, over, path) => {
  const [from, to] = [childOf(base, 'driver'), childOf(over, 'driver')];
  const same = from?.kind !== 'scalar' || to?.kind !== 'scalar' || textOf(from) === textOf(to);
  return same ? mergePlain(base, over, path) : over;
};

const mergeUlimit: Merge = (base, over, path) =>
  base.kind === 'map' && over.kind === 'map' ? mergeNodes(base, over, path) : over;

/** Address pools are the same where their subnet is. */
const mergePools: Merge = (base, over, path) => {
  if (base.kind !== 'list' || over.kind !== 'list') return mergePlain(base, over, path);
  const items = [...base.items];
  for (const pool of over.items) {
    const index = items.findIndex((one) => subnetOf(one) !== undefined && subnetOf(one) === subnetOf(pool));
    const same = items[index];
    if (same?.kind === 'map' && pool.kind === 'map') items[index] = mergeNodes(same, pool, path);
    else items.push(pool);
  }
  return listNode(over.at, items);
};

function subnetOf(pool: Node): string | undefined {
  const subnet = childOf(pool, 'subnet');
  return subnet?.kind === 'scalar' ? textOf(subnet) : undefined;
}

const RULES: readonly { readonly pattern: readonly string[]; readonly merge: Merge }[] = [
  ...rules(replace, ['services.*.command', 'services.*.entrypoint', 'services.*.healthcheck.test']),
  ...rules(as(asMapping), [
    'services.*.environment',
    'services.*.labels',
    'services.*.annotations',
    'services.*.sysctls',
    'services.*.deploy.labels',
    'services.*.build.args',
    'services.*.build.labels',
    'services.*.build.additional_contexts',
    'networks.*.labels',
    'volumes.*.labels',
    'configs.*.labels',
    'secrets.*.labels',
  ]),
  ...rules(as(asList), [
    'services.*.dns',
    'services.*.dns_opt',
    'services.*.dns_search',
    'services.*.env_file',
    'services.*.label_file',
    'services.*.tmpfs',
  ]),
  ...rules(as(asHosts), ['services.*.extra_hosts', 'services.*.build.extra_hosts']),
  ...rules(as(asBuild), ['services.*.build']),
  ...rules(as(asConditions), ['services.*.depends_on']),
  ...rules(as(asKeys), ['services.*.networks', 'services.*.models']),
  ...rules(mergeLogging, ['services.*.logging']),
  ...rules(mergeUlimit, ['services.*.ulimits.*']),
  ...rules(mergePools, ['networks.*.ipam.config']),
];

function rules(merge: Merge, patterns: readonly string[]) {
  return patterns.map((pattern) => ({ pattern: pattern.split('.'), merge }));
}

function matches(pattern: readonly string[], path: readonly string[]): boolean {
  return pattern.length === path.length && pattern.every((part, index) => part === '*' || part === path[index]);
}

/** The text before and after the first separator; undefined after where there is none. */
function cut(text: string, separator: string): readonly [string, string | undefined] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, undefined] : [text.slice(0, index), text.slice(index + separator.length)];
}
