import type { ImageStore, ImageStoreOptions } from './face.ts';

/** Opens the store, and cleans up what a crash left. */
export async function openImageStore(_o: ImageStoreOptions): Promise<ImageStore> {
  throw new Error('image store: on its way');
}
