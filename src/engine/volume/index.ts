export { openVolumes } from './volumes.ts';
export type { VolumeEvent, VolumeRecord, VolumeRequest, VolumeUsage, Volumes, VolumesOptions } from './volumes.ts';
