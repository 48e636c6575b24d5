import { contentFor, IN_TOTO, wasteOfLayers } from '../image/index.ts';
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
    {
      method: 'GET',
      pattern: '/bascule/images/{name*}/provenance',
      handle: (exchange) => provenance(rooms, exchange),
    },
  ];
}

async function details({ images }: Pick<Rooms, 'images'>, exchange: Exchange): Promise<void> {
  const image = images.get(exchange.params['name'] ?? '');
  const layers = images.layersOf(image.id);
  const waste = await wasteOfLayers(layers, exchange.signal);
  exchange.reply(200, imageDetails(image, { layers, waste, documents: images.attachmentsOf(image.id) }));
}

/** The statement that the build left; null where there is none. */
function provenance({ images }: Pick<Rooms, 'images'>, exchange: Exchange): void {
  const { id, references } = images.get(exchange.params['name'] ?? '');
  const found = images.attachmentsOf(id).find(({ artifactType }) => artifactType === IN_TOTO);
  const subject = { name: references[0] ?? id, digest: id };
  exchange.reply(200, { document: found === undefined ? null : contentFor(found, subject).toString('utf8') });
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
