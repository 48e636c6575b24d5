export { type DockerFleetOptions, openDockerFleet } from './docker/driver.ts';
export type {
  ExecOptions,
  ExecStreams,
  Fleet,
  FleetEvent,
  FleetInfo,
  FleetState,
  Health,
  ImageBuild,
  LogEntry,
  LogOptions,
  ObservedInstance,
  ResolvedImage,
  ResolveOptions,
  TerminalSize,
} from './fleet.ts';
export {
  type InstanceMount,
  type InstanceSpec,
  instanceSpecOf,
  type NetworkAttachment,
  placementsOf,
} from './instance-spec.ts';
export { ATTEMPT_LABEL, JOB_LABEL, jobContainerName, jobSpecOf, type JobRequest } from './job-spec.ts';
export {
  attachmentsOf,
  builtImageName,
  imageNameOf,
  instanceName,
  networksOf,
  primaryNetwork,
  volumesOf,
  type NetworkSpec,
  type VolumeSpec,
} from './names.ts';
