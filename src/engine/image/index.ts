export type {
  BootstrapOptions,
  HistoryRow,
  ImageEvent,
  ImageRecord,
  ImageStore,
  ImageStoreOptions,
  ImageUser,
  ImportOptions,
  Layer,
  LoadOptions,
  LoadProgress,
  PrunedImages,
  PruneOptions,
  RegisterRequest,
  RemovedImage,
  RemoveOptions,
  Upper,
} from './face.ts';
export { overlayMountArgv, type OverlayMount } from './overlay-argv.ts';
export { openImageStore } from './store.ts';
