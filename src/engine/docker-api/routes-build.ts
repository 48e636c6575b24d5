import { fileURLToPath } from 'node:url';
import { newId } from '../../lib/id.ts';
import { familiarString, parseReference } from '../../lib/oci/index.ts';
import type { BuildContext, BuildEvent, BuildRequest } from '../build/index.ts';
import { createQuietTranscript, createTranscript } from './build-progress.ts';
import type { Exchange } from './exchange.ts';
import { parseFilters } from './filters.ts';
import { inDockersWords, invalidParameter, unsupported } from './http-errors.ts';
import { untilOf } from './matching.ts';
import { flagOf, integerOf, jsonOf, textOf } from './query.ts';
import { registryForBuilds } from './registries.ts';
import { credentialsIn } from './registry-auth.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { sendFailure } from './send-failure.ts';
import { jsonLines, type JsonLines } from './writing.ts';

type BuildRooms = Pick<Rooms, 'builder' | 'events' | 'registry'>;

export function buildRoutes(rooms: BuildRooms): readonly Route[] {
  return [
    { method: 'POST', pattern: '/build', handle: (exchange) => build(rooms, exchange) },
    // A classic build ends with its connection: there is nothing to cancel by id.
    { method: 'POST', pattern: '/build/cancel', handle: (exchange) => exchange.reply(200) },
    { method: 'POST', pattern: '/build/prune', handle: (exchange) => prune(rooms, exchange) },
  ];
}

/** The head goes out with the first event: a request or a Dockerfile that is wrong gets a status of its own. */
async function build({ builder, registry }: BuildRooms, exchange: Exchange): Promise<void> {
  const newContainerId = (): string => newId().slice(0, 12);
  const transcript = flagOf(exchange.query, 'q')
    ? createQuietTranscript(newContainerId)
    : createTranscript(newContainerId);
  let lines: JsonLines | undefined;
  const started = (): JsonLines => (lines ??= jsonLines(exchange.stream('application/json')));
  const onProgress = (event: BuildEvent): void => {
    for (const line of transcript.take(event)) started().send(line);
  };
  try {
    const logins = credentialsIn(exchange.headers['x-registry-config']);
    const isClassic = !isOwnClient(exchange);
    await builder.build({
      ...buildRequestOf(exchange),
      isClassic,
      registry: registryForBuilds(registry, logins),
      signal: exchange.signal,
      onProgress,
    });
  } catch (cause) {
    if (exchange.signal.aborted) return;
    const error = isOwnClient(exchange) ? cause : inDockersWords(cause);
    const rest = transcript.rest();
    if (lines === undefined && rest.length === 0) throw error;
    for (const line of rest) started().send(line);
    sendFailure(started(), error);
  }
  started().end();
}

/** Bascule's own clients name a folder of this machine; they get its own words, with the lines of the Dockerfile. */
function isOwnClient({ query }: Pick<Exchange, 'query'>): boolean {
  return textOf(query, 'remote')?.startsWith('file:///') ?? false;
}

/** @throws UserError `invalid-parameter`, `unsupported` */
function buildRequestOf(exchange: Exchange): Omit<BuildRequest, 'onProgress' | 'signal'> {
  const { query } = exchange;
  refuseUnsupported(query);
  refuseForeignOutputs(query);
  const target = textOf(query, 'target');
  const platform = textOf(query, 'platform');
  const networkMode = textOf(query, 'networkmode');
  const shmSize = integerOf(query, 'shmsize');
  const extraHosts = query
    .getAll('extrahosts')
    .flatMap((text) => text.split(','))
    .filter((host) => host !== '');
  const epoch = integerOf(query, 'sourcedateepoch');
  return {
    context: contextOf(exchange),
    dockerfile: textOf(query, 'dockerfile') ?? 'Dockerfile',
    buildArgs: stringMapOf(query, 'buildargs'),
    labels: labelsOf(query),
    tags: query
      .getAll('t')
      .filter((tag) => tag !== '')
      .map((tag) => familiarString(parseReference(tag))),
    noCache: flagOf(query, 'nocache'),
    pull: flagOf(query, 'pull'),
    ...(target === undefined ? {} : { target }),
    ...(platform === undefined ? {} : { platform }),
    ...(networkMode === undefined ? {} : { networkMode }),
    ...(shmSize ? { shmSize } : {}),
    ...(extraHosts.length > 0 ? { extraHosts } : {}),
    ...(epoch === undefined ? {} : { sourceDateEpoch: epoch }),
  };
}

/** Limits of build containers and other known parameters that change what a build does. */
const UNSUPPORTED = [
  'cpuperiod', 'cpuquota', 'cpusetcpus', 'cpusetmems', 'cpushares', 'memory', 'memswap', 'cgroupparent', 'squash',
]; // prettier-ignore

function refuseUnsupported(query: URLSearchParams): void {
  if (query.get('version') === '2') {
    throw unsupported(
      'building through BuildKit',
      'Set DOCKER_BUILDKIT=0: the classic build of Bascule has its own graph and cache.',
    );
  }
  for (const name of UNSUPPORTED) {
    const value = query.get(name);
    if (value && !['0', 'false', '-1', 'null', '[]'].includes(value))
      throw unsupported(`the build parameter ${name}=${value}`);
  }
  const ulimits = jsonOf(query, 'ulimits');
  if (Array.isArray(ulimits) && ulimits.length > 0) throw unsupported('the build parameter ulimits');
}

/** The body, a git repository or URL, or Bascule's extension `remote=file:///abs/dir` for clients on this machine. */
function contextOf({ query, body }: Exchange): BuildContext {
  const remote = textOf(query, 'remote');
  if (remote === undefined) return { kind: 'tar', stream: body };
  if (remote === 'client-session') throw unsupported('building through BuildKit', 'Set DOCKER_BUILDKIT=0.');
  return isOwnClient({ query }) ? { kind: 'directory', path: fileURLToPath(remote) } : { kind: 'remote', url: remote };
}

/** Classic clients get no files back: an output is the image store, or nothing that this API can do. */
function refuseForeignOutputs(query: URLSearchParams): void {
  const outputs = jsonOf(query, 'outputs') ?? [];
  if (!Array.isArray(outputs)) throw invalidParameter('outputs is not a JSON array');
  for (const output of outputs as readonly { Type?: unknown; type?: unknown }[]) {
    const type = output.Type ?? output.type;
    if (type !== 'image' && type !== 'moby' && type !== 'docker')
      throw unsupported(`the build output ${String(type)}`, 'Use `bascule image build --output …`.');
  }
}

function labelsOf(query: URLSearchParams): Record<string, string> {
  const entries = Object.entries(stringMapOf(query, 'labels'));
  return Object.fromEntries(entries.map(([key, value]) => [key, value ?? '']));
}

function stringMapOf(query: URLSearchParams, name: string): Record<string, string | null> {
  const value = jsonOf(query, name) ?? {};
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw invalidParameter(`${name} is not a JSON object`);
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => {
      if (entry !== null && typeof entry !== 'string') throw invalidParameter(`${name}.${key} is not a text`);
      return [key, entry];
    }),
  );
}

async function prune({ builder, events }: BuildRooms, exchange: Exchange): Promise<void> {
  const known = [
    'until',
    'unused-for',
    'id',
    'parent',
    'type',
    'description',
    'inuse',
    'shared',
    'private',
    'label',
    'label!',
  ];
  const filters = parseFilters(exchange.query.get('filters'), known);
  const odd = known.slice(2, -2).find((name) => filters.has(name));
  if (odd !== undefined) throw unsupported(`the filter "${odd}" of the build cache`);
  refuseBudgets(exchange.query);
  const unusedSince = untilOf(filters, new Date());
  const { removed, freedBytes } = filters.has('label')
    ? { removed: [], freedBytes: 0 } // records of the cache have no labels
    : await builder.pruneCache({
        all: flagOf(exchange.query, 'all'),
        ...(unusedSince === undefined ? {} : { unusedSince }),
      });
  events.publish({ type: 'builder', action: 'prune', actorId: '', attributes: { reclaimed: String(freedBytes) } });
  exchange.reply(200, { CachesDeleted: removed.length > 0 ? removed : null, SpaceReclaimed: freedBytes });
}

const BUDGETS = ['keep-storage', 'reserved-space', 'max-used-space', 'min-free-space'];

/** Without them everything would go that a client wants to keep. */
function refuseBudgets(query: URLSearchParams): void {
  const asked = BUDGETS.find((name) => (integerOf(query, name) ?? 0) !== 0);
  if (asked !== undefined) throw unsupported(`the parameter ${asked} of the build cache`, 'Give a filter `until`.');
}
