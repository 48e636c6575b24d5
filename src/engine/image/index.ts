export type { HistoryRow, ImageEvent, ImageRecord, ImageStore, ImageUser, Layer, RemovedImage, Upper } from './face.ts';
export { overlayMountArgv } from './overlay-argv.ts';
export { openImageStore } from './store.ts';
