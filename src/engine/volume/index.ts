export { openVolumes } from './volumes.ts';
export type {
  UsersOf,
  VolumeEvent,
  VolumeRecord,
  VolumeRequest,
  VolumeUsage,
  Volumes,
  VolumesOptions,
} from './types.ts';
