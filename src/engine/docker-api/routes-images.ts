import type { Digest } from '../../lib/oci/index.ts';
import type { ImageRecord, ImageUser } from '../image/index.ts';
import { isUp } from './container-filters.ts';
import type { Exchange } from './exchange.ts';
import { parseFilters } from './filters.ts';
import { IMAGE_FILTERS, selectImages } from './image-filters.ts';
import { checkAskedPlatform } from './asked-platform.ts';
import { invalidParameter, unsupported } from './http-errors.ts';
import { untilOf } from './matching.ts';
import { flagOf, textOf } from './query.ts';
import { referenceOf } from './reference-text.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { historyRow, inspectImage, listImage, removedImage } from './shape-image.ts';
import { sharedBytesOf } from './shared-size.ts';
import { speaksAtLeast } from './versions.ts';

type ImageRooms = Pick<Rooms, 'images' | 'runtime' | 'events' | 'host'>;

/** Images that are there; how they come and go is in `routes-transfer.ts` and `routes-build.ts`. */
export function imageRoutes(rooms: ImageRooms): readonly Route[] {
  const { images, host } = rooms;
  const imageOf = (exchange: Exchange): ImageRecord => images.get(exchange.params['name'] ?? '');
  return [
    { method: 'GET', pattern: '/images/json', handle: (exchange) => list(rooms, exchange) },
    { method: 'POST', pattern: '/images/prune', handle: (exchange) => prune(rooms, exchange) },
    {
      method: 'GET',
      pattern: '/images/{name*}/json',
      handle: (exchange) => {
        const image = imageOf(exchange);
        if (speaksAtLeast(exchange, '1.49')) checkAskedPlatform(image, exchange.query);
        const layerDirectories = images
          .layersOf(image.id)
          .map(({ directory }) => directory)
          .toReversed();
        const { apiVersion } = exchange;
        exchange.reply(200, inspectImage(image, { layerDirectories, engineVersion: host.version, apiVersion }));
      },
    },
    {
      method: 'GET',
      pattern: '/images/{name*}/history',
      handle: (exchange) => {
        if (speaksAtLeast(exchange, '1.48')) checkAskedPlatform(imageOf(exchange), exchange.query);
        exchange.reply(200, images.history(exchange.params['name'] ?? '').map(historyRow));
      },
    },
    {
      method: 'POST',
      pattern: '/images/{name*}/tag',
      handle: (exchange) => {
        const reference = referenceOf(textOf(exchange.query, 'repo'), textOf(exchange.query, 'tag'));
        if (reference === undefined) throw invalidParameter('the new name (repo) is missing');
        images.tag(imageOf(exchange).id, reference);
        exchange.reply(201);
      },
    },
    { method: 'DELETE', pattern: '/images/{name*}', handle: (exchange) => remove(rooms, exchange) },
  ];
}

function list({ images, runtime }: ImageRooms, exchange: Exchange): void {
  const { query } = exchange;
  const filters = parseFilters(query.get('filters'), IMAGE_FILTERS);
  const selected = selectImages(
    images.list(),
    { filters, all: flagOf(query, 'all'), until: untilOf(filters, new Date()) },
    { get: (name) => images.get(name), hasChildren: (id) => images.childrenOf(id).length > 0 },
  );
  const isShared = speaksAtLeast(exchange, '1.42') && flagOf(query, 'shared-size');
  const shared = isShared ? sharedBytesOf(images) : () => -1;
  exchange.reply(
    200,
    selected.map((image) =>
      listImage(image, {
        apiVersion: exchange.apiVersion,
        ...(speaksAtLeast(exchange, '1.51') ? { containers: usersOf({ runtime }, image.id).length } : {}),
        ...(isShared ? { sharedBytes: shared(image.id) } : {}),
      }),
    ),
  );
}

async function remove({ images, runtime }: ImageRooms, exchange: Exchange): Promise<void> {
  if (textOf(exchange.query, 'platforms') !== undefined) throw unsupported('removing single platforms of an image');
  const removed = await images.remove(exchange.params['name'] ?? '', {
    force: flagOf(exchange.query, 'force'),
    keepParents: flagOf(exchange.query, 'noprune'),
    usersOf: (id) => usersOf({ runtime }, id),
  });
  exchange.reply(200, removed.map(removedImage));
}

function usersOf({ runtime }: Pick<Rooms, 'runtime'>, id: Digest): readonly ImageUser[] {
  const users = runtime.list().filter(({ spec }) => spec.imageId === id);
  return users.map((container) => ({ containerId: container.id, isRunning: isUp(container) }));
}

async function prune({ images, runtime, events }: ImageRooms, exchange: Exchange): Promise<void> {
  const filters = parseFilters(exchange.query.get('filters'), ['dangling', 'label', 'label!', 'until']);
  const until = untilOf(filters, new Date());
  const { removed, freedBytes } = await images.prune({
    danglingOnly: filters.flag('dangling') ?? true,
    usersOf: (id) => usersOf({ runtime }, id),
    filter: (image) =>
      filters.matchLabels(image.config.config?.Labels ?? {}) && (until === undefined || image.createdAt < until),
  });
  events.publish({ type: 'image', action: 'prune', actorId: '', attributes: { reclaimed: String(freedBytes) } });
  exchange.reply(200, {
    ImagesDeleted: removed.length > 0 ? removed.map(removedImage) : null,
    SpaceReclaimed: freedBytes,
  });
}
