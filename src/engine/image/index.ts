export { contentFor, IN_TOTO, type Attachment } from './attachments.ts';
export { referrerOf } from './referrer.ts';
export { decompressed } from './decompress.ts';
export type {
  DigestState,
  Filling,
  HistoryRow,
  ImageEvent,
  ImageRecord,
  ImageStore,
  ImageUser,
  Layer,
  LayerBlob,
  NewFile,
  RemovedImage,
  Upper,
} from './face.ts';
export type { Sink } from './sink.ts';
export { findFiles, wasteOfLayers } from './layer-listing.ts';
export type { LayerWaste } from './wasted-bytes.ts';
export { type MountCalls, openMountCalls } from './mount-calls.ts';
export { overlayMountArgv, type OverlayMount } from './overlay-argv.ts';
export type { Snapshot } from './snapshot.ts';
export { parseSnapshotTime } from './snapshot-time.ts';
export { openImageStore } from './store.ts';
export { planSave, type SavedMember } from './save-plan.ts';
export { encodeHeader, paddingOf, TAR_END } from './tar-encoder.ts';
export { tarEntry } from './tar-entry.ts';
