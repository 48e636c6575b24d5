import { z } from 'zod';
import type { MountSpec } from '../runtime/index.ts';
import type { Exchange } from './exchange.ts';
import { parseFilters } from './filters.ts';
import { invalidParameter } from './http-errors.ts';
import { matchesPattern } from './matching.ts';
import { flagOf } from './query.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { speaksAtLeast } from './versions.ts';
import { inspectVolume, labelsOf } from './shape-network.ts';

type VolumeRooms = Pick<Rooms, 'volumes' | 'runtime' | 'events'>;

export function volumeRoutes(rooms: VolumeRooms): readonly Route[] {
  return [
    { method: 'GET', pattern: '/volumes', handle: (exchange) => list(rooms, exchange) },
    { method: 'POST', pattern: '/volumes/create', handle: (exchange) => create(rooms, exchange) },
    { method: 'POST', pattern: '/volumes/prune', handle: (exchange) => prune(rooms, exchange) },
    {
      method: 'GET',
      pattern: '/volumes/{name}',
      handle: (exchange) => exchange.reply(200, inspectVolume(rooms.volumes.get(exchange.params['name'] ?? ''))),
    },
    { method: 'DELETE', pattern: '/volumes/{name}', handle: (exchange) => remove(rooms, exchange) },
  ];
}

function list({ volumes, runtime }: VolumeRooms, exchange: Exchange): void {
  const filters = parseFilters(exchange.query.get('filters'), ['dangling', 'driver', 'label', 'name']);
  const dangling = filters.flag('dangling');
  const wanted = volumes.list().filter((volume) => {
    const isDangling = !runtime.isVolumeUsed(volume.name);
    return (
      filters.isAny('driver', volume.driver) &&
      filters.some('name', (pattern) => matchesPattern(volume.name, pattern)) &&
      filters.matchLabels(labelsOf(volume)) &&
      (dangling ?? isDangling) === isDangling
    );
  });
  exchange.reply(200, { Volumes: wanted.map((volume) => inspectVolume(volume)), Warnings: null });
}

const labels = z.record(z.string(), z.string()).nullish();
const createBody = z.looseObject({
  Name: z.string().nullish(),
  Driver: z.string().nullish(),
  DriverOpts: labels,
  Labels: labels,
});

async function create({ volumes }: VolumeRooms, exchange: Exchange): Promise<void> {
  const result = createBody.safeParse(await exchange.json());
  if (!result.success)
    throw invalidParameter(`${result.error.issues[0]?.path.join('.')}: ${result.error.issues[0]?.message}`);
  const { Name, Driver, DriverOpts, Labels } = result.data;
  const volume = await volumes.create({
    ...(Name ? { name: Name } : {}),
    ...(Driver ? { driver: Driver } : {}),
    ...(DriverOpts ? { options: DriverOpts } : {}),
    ...(Labels ? { labels: Labels } : {}),
  });
  exchange.reply(201, inspectVolume(volume));
}

/** Ids of the containers that use a volume, as Docker's message has them. */
function usersOf({ runtime }: Pick<Rooms, 'runtime'>, name: string): readonly string[] {
  const isOn = (mount: MountSpec): boolean => mount.type === 'volume' && mount.name === name;
  return runtime
    .list()
    .filter(({ spec }) => spec.mounts.some(isOn))
    .map(({ id }) => id);
}

async function remove({ volumes, runtime }: VolumeRooms, exchange: Exchange): Promise<void> {
  await volumes.remove(exchange.params['name'] ?? '', {
    force: flagOf(exchange.query, 'force'),
    usersOf: (name) => usersOf({ runtime }, name),
  });
  exchange.reply(204);
}

/** Anonymous volumes, and with the filter `all` the named ones, too; before API 1.42 all of them. */
async function prune({ volumes, runtime, events }: VolumeRooms, exchange: Exchange): Promise<void> {
  const filters = parseFilters(exchange.query.get('filters'), ['all', 'label', 'label!']);
  const { removed, freedBytes } = await volumes.prune({
    all: filters.flag('all') ?? !speaksAtLeast(exchange, '1.42'),
    usersOf: (name) => usersOf({ runtime }, name),
    filter: (volume) => filters.matchLabels(labelsOf(volume)),
  });
  events.publish({ type: 'volume', action: 'prune', actorId: '', attributes: { reclaimed: String(freedBytes) } });
  exchange.reply(200, { VolumesDeleted: removed, SpaceReclaimed: freedBytes });
}
