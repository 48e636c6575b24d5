import type { Container } from '../runtime/index.ts';
import type { Rooms } from './rooms.ts';
import type { ContainerSurroundings, Sizes } from './shape-container.ts';

type SurroundingRooms = Pick<Rooms, 'images' | 'networks' | 'volumes' | 'runtime' | 'host'>;

/** Looks up what the answers about a container need from the other rooms. */
export function surroundingsOf(rooms: SurroundingRooms, container: Container): ContainerSurroundings {
  const { images, networks, volumes, host } = rooms;
  const image = images.find(container.spec.imageId);
  return {
    layerDirectories:
      image === undefined
        ? []
        : images
            .layersOf(image.id)
            .map(({ directory }) => directory)
            .toReversed(),
    findVolume: (name) => volumes.find(name),
    findNetwork: (nameOrId) => networks.find(nameOrId),
    hostname: host.hostname,
  };
}

export async function sizesOf(rooms: SurroundingRooms, container: Container): Promise<Sizes> {
  return {
    ownBytes: await rooms.runtime.sizeOf(container.id),
    imageBytes: rooms.images.find(container.spec.imageId)?.sizeBytes ?? 0,
  };
}

/** The image's name in lists: as the user gave it, or its id once the name means another image. */
export function imageNameOf(rooms: Pick<Rooms, 'images'>, container: Container): string {
  const { imageName, imageId } = container.spec;
  return rooms.images.find(imageName)?.id === imageId ? imageName : imageId;
}
