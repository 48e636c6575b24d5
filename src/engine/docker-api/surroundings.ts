import type { Container } from '../runtime/index.ts';
import type { Rooms } from './rooms.ts';
import type { ContainerSurroundings, Sizes } from './shape-container.ts';

interface SurroundingRooms extends Pick<Rooms, 'volumes' | 'runtime' | 'host'> {
  readonly images: Pick<Rooms['images'], 'find' | 'layersOf'>;
  readonly networks: Pick<Rooms['networks'], 'find'>;
}

/** The rooms as one list sees them: what its containers share is looked up once. */
export function forOneList({ images, networks, volumes, runtime, host }: SurroundingRooms): SurroundingRooms {
  return {
    images: { find: remembered((name) => images.find(name)), layersOf: (id) => images.layersOf(id) },
    networks: { find: remembered((name) => networks.find(name)) },
    volumes,
    runtime,
    host,
  };
}

function remembered<T>(look: (name: string) => T): (name: string) => T {
  const known = new Map<string, T>();
  return (name) => {
    if (!known.has(name)) known.set(name, look(name));
    return known.get(name) as T;
  };
}

/** Looks up what the answers about a container need from the other rooms. */
export function surroundingsOf(rooms: SurroundingRooms, container: Container): ContainerSurroundings {
  const { images, networks, volumes, host } = rooms;
  return {
    get layerDirectories() {
      const image = images.find(container.spec.imageId);
      if (image === undefined) return [];
      const directories = images.layersOf(image.id).map(({ directory }) => directory);
      return directories.toReversed();
    },
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
export function imageNameOf(rooms: Pick<SurroundingRooms, 'images'>, container: Container): string {
  const { imageName, imageId } = container.spec;
  return rooms.images.find(imageName)?.id === imageId ? imageName : imageId;
}
