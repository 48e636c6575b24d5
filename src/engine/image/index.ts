export type {
  HistoryRow,
  ImageEvent,
  ImageRecord,
  ImageStore,
  ImageUser,
  Layer,
  LayerBlob,
  RemovedImage,
  Upper,
} from './face.ts';
export { type MountCalls, openMountCalls } from './mount-calls.ts';
export { overlayMountArgv, type OverlayMount } from './overlay-argv.ts';
export { openImageStore } from './store.ts';
