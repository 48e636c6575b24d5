import { wasteOfLayers } from '../image/index.ts';
import { billOfMaterials, SBOM_FORMATS } from '../sbom/index.ts';
import type { Exchange } from './exchange.ts';
import { invalidParameter } from './http-errors.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { imageDetails } from './shape-image-details.ts';

/** What Bascule tells of images beyond Docker's API. */
export function ownImageRoutes(rooms: Pick<Rooms, 'images'>): readonly Route[] {
  return [
    { method: 'GET', pattern: '/bascule/images/{name*}/details', handle: (exchange) => details(rooms, exchange) },
    { method: 'GET', pattern: '/bascule/images/{name*}/sbom', handle: (exchange) => sbom(rooms, exchange) },
  ];
}

async function details({ images }: Pick<Rooms, 'images'>, exchange: Exchange): Promise<void> {
  const image = images.get(exchange.params['name'] ?? '');
  const layers = images.layersOf(image.id);
  exchange.reply(200, imageDetails(image, layers, await wasteOfLayers(layers, exchange.signal)));
}

/** Made when it is asked for. */
async function sbom({ images }: Pick<Rooms, 'images'>, exchange: Exchange): Promise<void> {
  const text = exchange.query.get('format');
  const format = SBOM_FORMATS.find((each) => each === text);
  if (format === undefined) throw invalidParameter(`there is no format ${text}`, `Known: ${SBOM_FORMATS.join(', ')}.`);
  const image = images.get(exchange.params['name'] ?? '');
  const { text: document, mediaType } = await billOfMaterials(images, image, { format, signal: exchange.signal });
  exchange.reply(200, { mediaType, document });
}
