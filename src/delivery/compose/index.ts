export { parseDotenv } from './dotenv.ts';
export { findComposeFile } from './find.ts';
export { loadProject, type ProjectSource } from './load.ts';
export { portProtocol } from './ports.ts';
export type { FileObject, IpamPool, Model, Network, Project, Volume } from './project.ts';
export type {
  AnalysisPolicy,
  CanarySettings,
  CohortSettings,
  CommandGuard,
  JobSettings,
  PreviewMatch,
  ProbeSettings,
  ProjectSettings,
  QueryGuard,
  RollingSettings,
  ServiceSettings,
  SmokeTest,
  StrategyName,
  TlsSettings,
} from './project-settings.ts';
export type {
  BindMount,
  Build,
  Dependency,
  DependencyCondition,
  Deploy,
  Device,
  FileReference,
  Healthcheck,
  LifecycleHook,
  Logging,
  OtherMount,
  Port,
  ResourceLimits,
  RestartPolicy,
  Service,
  ServiceNetwork,
  ServiceVolume,
  TmpfsMount,
  TrafficProtocol,
  Ulimit,
  UpdateConfig,
  VolumeMount,
} from './service.ts';
export { renderProject } from './render.ts';
export { projectSettingsSchema, serviceSettingsSchema } from './settings-schema.ts';
export { defaultSettings } from './settings.ts';
export { assertSupported } from './unsupported.ts';
