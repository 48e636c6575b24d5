import { setTimeout as delay } from 'node:timers/promises';
import type { Container, Statistics } from '../runtime/index.ts';
import type { Exchange } from './exchange.ts';
import { invalidParameter } from './http-errors.ts';
import { flagOf } from './query.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { listContainer } from './shape-container.ts';
import { listImage } from './shape-image.ts';
import { inspectVolume } from './shape-network.ts';
import { statisticsShape } from './shape-statistics.ts';
import { forOneList, imageNameOf, sizesOf, surroundingsOf } from './surroundings.ts';
import { sharedBytesOf } from './shared-size.ts';
import { speaksAtLeast } from './versions.ts';
import { writeTo } from './writing.ts';

const INTERVAL_MS = 1_000;
/** Between the two readings of which a single answer tells the share: clients look at it each half second. */
const ONE_READING_MS = 400;

/** What containers use, and what the disk holds. */
export function statisticsRoutes(rooms: Rooms): readonly Route[] {
  return [
    {
      method: 'GET',
      pattern: '/containers/{id}/stats',
      handle: (exchange) => statistics(rooms, rooms.runtime.get(exchange.params['id'] ?? ''), exchange),
    },
    { method: 'GET', pattern: '/system/df', handle: (exchange) => diskUsage(rooms, exchange) },
  ];
}

async function statistics({ runtime }: Rooms, container: Container, exchange: Exchange): Promise<void> {
  const { query, signal } = exchange;
  const isStream = flagOf(query, 'stream', true);
  const read = (): Promise<Statistics | undefined> => runtime.statistics(container.id);
  let before: Statistics | undefined;
  if (!isStream) {
    if (!flagOf(query, 'one-shot')) {
      before = await read();
      if (before !== undefined) await delay(ONE_READING_MS, undefined, { signal });
    }
    exchange.reply(200, statisticsShape(container, await read(), before));
    return;
  }
  const sink = exchange.stream('application/json');
  while (runtime.find(container.id) !== undefined) {
    const now = await read();
    if (!(await writeTo(sink, `${JSON.stringify(statisticsShape(container, now, before))}\n`, signal))) return;
    before = now;
    await delay(INTERVAL_MS, undefined, { signal });
  }
  sink.end();
}

const DISK_TYPES = ['container', 'image', 'volume', 'build-cache'];

/** `GET /system/df` (API 1.51). */
async function diskUsage(rooms: Rooms, exchange: Exchange): Promise<void> {
  const { images, runtime, volumes, builder } = rooms;
  const now = new Date();
  const types = exchange.query.getAll('type');
  const wants = (type: string): boolean => types.length === 0 || types.includes(type);
  for (const type of types) {
    if (!DISK_TYPES.includes(type))
      throw invalidParameter(`unknown object type: ${type}`, `One of ${DISK_TYPES.join(', ')}.`);
  }
  const containers = runtime.list();
  const around = forOneList(rooms);
  const rows = (wants('container') ? containers : []).map(async (container) =>
    listContainer(container, {
      around: surroundingsOf(around, container),
      now,
      imageName: imageNameOf(around, container),
      sizes: await sizesOf(rooms, container),
      apiVersion: exchange.apiVersion,
    }),
  );
  const sizes = wants('volume') ? await volumes.usage(exchange.signal) : [];
  const usage = new Map(sizes.map(({ name, sizeBytes }) => [name, sizeBytes]));
  const usersOf = (id: string): number => containers.filter(({ spec }) => spec.imageId === id).length;
  const cache = wants('build-cache') ? await builder.cacheUsage() : [];
  const { apiVersion } = exchange;
  const shared = sharedBytesOf(images);
  const listed = wants('image')
    ? images
        .list()
        .map((image) => listImage(image, { apiVersion, containers: usersOf(image.id), sharedBytes: shared(image.id) }))
    : null;
  exchange.reply(200, {
    LayersSize: wants('image') ? layersBytes(rooms) : 0,
    Images: listed,
    Containers: wants('container') ? await Promise.all(rows) : null,
    Volumes: (wants('volume') ? volumes.list() : []).map((volume) =>
      inspectVolume(volume, {
        users: runtime.usersOfVolume(volume.name).length,
        bytes: usage.get(volume.name) ?? -1,
      }),
    ),
    BuildCache: cache.map((record) => ({
      ID: record.key.slice(0, 25),
      ...(speaksAtLeast(exchange, '1.42') ? {} : { Parent: '' }),
      Type: record.type,
      Description: record.description,
      InUse: record.isInUse,
      Shared: false,
      Size: record.sizeBytes,
      CreatedAt: record.createdAt.toISOString(),
      LastUsedAt: record.lastUsedAt.toISOString(),
      UsageCount: record.usageCount,
    })),
    ...(speaksAtLeast(exchange, '1.42')
      ? {}
      : { BuilderSize: cache.reduce((sum, record) => sum + record.sizeBytes, 0) }),
  });
}

/** Each layer once, however many images share it. */
function layersBytes({ images }: Pick<Rooms, 'images'>): number {
  const sizes = new Map<string, number>();
  for (const image of images.list()) {
    for (const layer of images.layersOf(image.id)) sizes.set(layer.diffId, layer.sizeBytes);
  }
  return [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0);
}
