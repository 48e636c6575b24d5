import { randomInt } from 'node:crypto';
import type { ImageRecord } from '../image/index.ts';
import type { Container, ContainerSpec } from '../runtime/index.ts';
import { CONTAINER_FILTERS, isUp, selectContainers } from './container-filters.ts';
import { containerNameOf, planContainer, type PlannedContainer } from './container-spec.ts';
import { checkPlatform } from './platform-check.ts';
import { parseCreateRequest, type CreateRequest } from './create-request.ts';
import type { Exchange } from './exchange.ts';
import { parseFilters } from './filters.ts';
import { requestOfVersion } from './create-versions.ts';
import { generateName } from './generated-names.ts';
import { invalidParameter } from './http-errors.ts';
import { untilOf } from './matching.ts';
import { flagOf, integerOf, textOf } from './query.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { inspectContainer, listContainer } from './shape-container.ts';
import { forOneList, imageNameOf, sizesOf, surroundingsOf } from './surroundings.ts';

/** Making, finding and removing containers; what happens to one that is there is in `routes-lifecycle.ts`. */
export function containerRoutes(rooms: Rooms): readonly Route[] {
  return [
    { method: 'GET', pattern: '/containers/json', handle: (exchange) => list(rooms, exchange) },
    { method: 'POST', pattern: '/containers/create', handle: (exchange) => create(rooms, exchange) },
    { method: 'POST', pattern: '/containers/prune', handle: (exchange) => prune(rooms, exchange) },
    { method: 'GET', pattern: '/containers/{id}/json', handle: (exchange) => inspect(rooms, exchange) },
    { method: 'DELETE', pattern: '/containers/{id}', handle: (exchange) => remove(rooms, exchange) },
  ];
}

async function create(rooms: Rooms, exchange: Exchange): Promise<void> {
  const body = await exchange.json();
  if (Object.keys(body).length === 0) {
    throw invalidParameter('invalid JSON: got EOF while reading request body', 'Send at least the field Image.');
  }
  const { request, warnings } = requestOfVersion(parseCreateRequest(body), exchange.apiVersion);
  const image = rooms.images.get(request.Image || ':');
  checkPlatform(image, textOf(exchange.query, 'platform'));
  const given = textOf(exchange.query, 'name');
  const name = given === undefined ? freeName(rooms) : containerNameOf(given);
  const plan = planFor(rooms, { request, image, name });
  const { spec, made } = await makeVolumes(rooms, plan);
  try {
    const container = await rooms.runtime.create(spec);
    exchange.reply(201, { Id: container.id, Warnings: [...warnings, ...plan.warnings] });
  } catch (error) {
    for (const volume of made) await rooms.volumes.remove(volume, { force: true, usersOf: () => [] });
    throw error;
  }
}

function freeName({ runtime }: Pick<Rooms, 'runtime'>): string {
  const taken = new Set(runtime.list().map(({ spec }) => spec.name));
  return generateName((name) => taken.has(name), randomInt);
}

interface PlanRequest {
  readonly request: CreateRequest;
  readonly image: ImageRecord;
  readonly name: string;
}

function planFor({ runtime, networks, host }: Rooms, { request, image, name }: PlanRequest): PlannedContainer {
  return planContainer({
    request,
    name,
    image: { id: image.id, config: image.config.config ?? {} },
    onlineCpus: host.onlineCpus,
    cgroupVersion: runtime.info().cgroupVersion,
    mountsOf: (container) => runtime.get(container).spec.mounts,
    containerIdOf: (container) => runtime.get(container).id,
    networkNameOf: (network) => networks.find(network)?.name ?? network,
  });
}

/** Makes the volumes that are missing and puts the names of the anonymous ones into the spec. */
async function makeVolumes(
  { volumes }: Pick<Rooms, 'volumes'>,
  plan: PlannedContainer,
): Promise<{ readonly spec: ContainerSpec; readonly made: readonly string[] }> {
  const made: string[] = [];
  const mounts = [];
  for (const { mount, volume } of plan.mounts) {
    if (mount.type !== 'volume' || volume === undefined) {
      mounts.push(mount);
      continue;
    }
    const isThere = mount.name !== '' && volumes.find(mount.name) !== undefined;
    const { name } = await volumes.create(volume);
    if (!isThere) made.push(name);
    mounts.push({ ...mount, name });
  }
  return { spec: { ...plan.spec, mounts }, made };
}

async function list(rooms: Rooms, exchange: Exchange): Promise<void> {
  const { runtime, networks } = rooms;
  const { query } = exchange;
  const filters = parseFilters(query.get('filters'), CONTAINER_FILTERS);
  const limit = integerOf(query, 'limit') ?? 0;
  const selected = selectContainers(
    runtime.list(),
    { filters, all: flagOf(query, 'all'), limit },
    {
      familyOf: (image) => familyOf(rooms, image),
      get: (container) => runtime.get(container),
      networkIdOf: (network) => networks.find(network)?.id,
    },
  );
  const withSizes = flagOf(query, 'size');
  const now = new Date();
  const around = forOneList(rooms);
  const rows = selected.map(async (container) =>
    listContainer(container, {
      around: surroundingsOf(around, container),
      apiVersion: exchange.apiVersion,
      now,
      imageName: imageNameOf(around, container),
      ...(withSizes ? { sizes: await sizesOf(rooms, container) } : {}),
    }),
  );
  exchange.reply(200, await Promise.all(rows));
}

function familyOf({ images }: Pick<Rooms, 'images'>, name: string): ReadonlySet<ImageRecord['id']> {
  const image = images.find(name);
  const family = new Set<ImageRecord['id']>();
  const queue = image === undefined ? [] : [image];
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    if (family.has(next.id)) continue;
    family.add(next.id);
    queue.push(...images.childrenOf(next.id));
  }
  return family;
}

async function inspect(rooms: Rooms, exchange: Exchange): Promise<void> {
  const container = rooms.runtime.get(exchange.params['id'] ?? '');
  const sizes = flagOf(exchange.query, 'size') ? await sizesOf(rooms, container) : undefined;
  const { apiVersion } = exchange;
  const around = surroundingsOf(rooms, container);
  exchange.reply(200, inspectContainer(container, { around, apiVersion, ...(sizes === undefined ? {} : { sizes }) }));
}

async function remove({ runtime }: Rooms, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  if (flagOf(query, 'link')) throw invalidParameter('links between containers do not exist here', 'Leave --link out.');
  const { id } = runtime.get(exchange.params['id'] ?? '');
  await runtime.remove(id, { force: flagOf(query, 'force'), removeVolumes: flagOf(query, 'v') });
  exchange.reply(204);
}

async function prune({ runtime, events }: Rooms, exchange: Exchange): Promise<void> {
  const filters = parseFilters(exchange.query.get('filters'), ['label', 'label!', 'until']);
  const until = untilOf(filters, new Date());
  const isWanted = (container: Container): boolean =>
    !isUp(container) &&
    container.state.status !== 'removing' &&
    filters.matchLabels(container.spec.labels) &&
    (until === undefined || container.createdAt < until);
  const removed: string[] = [];
  let freedBytes = 0;
  for (const { id } of runtime.list().filter(isWanted)) {
    freedBytes += await runtime.sizeOf(id);
    await runtime.remove(id, { force: false, removeVolumes: false });
    removed.push(id);
  }
  events.publish({ type: 'container', action: 'prune', actorId: '', attributes: { reclaimed: String(freedBytes) } });
  exchange.reply(200, { ContainersDeleted: removed.length > 0 ? removed : null, SpaceReclaimed: freedBytes });
}
