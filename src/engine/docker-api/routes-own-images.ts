import { wasteOfLayers } from '../image/index.ts';
import type { Exchange } from './exchange.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { imageDetails } from './shape-image-details.ts';

/** What Bascule tells of images beyond Docker's API. */
export function ownImageRoutes(rooms: Pick<Rooms, 'images'>): readonly Route[] {
  return [
    { method: 'GET', pattern: '/bascule/images/{name*}/details', handle: (exchange) => details(rooms, exchange) },
  ];
}

async function details({ images }: Pick<Rooms, 'images'>, exchange: Exchange): Promise<void> {
  const image = images.get(exchange.params['name'] ?? '');
  const layers = images.layersOf(image.id);
  exchange.reply(200, imageDetails(image, layers, await wasteOfLayers(layers, exchange.signal)));
}
