export { createClient, type Client, type ExecConnection, type Onlooker } from './client.ts';
export type { Streamed } from './streamed.ts';
export type {
  ImageBuildEvent,
  ImageBuildResult,
  ImageBuildSpec,
  NamedContextSpec,
  OutputSpec,
  OwnerSpec,
} from './image-build.ts';
export { createRegistryAdministration, type RegistryAdministration } from './registry.ts';
export type { Override, Setting } from '../configuration/index.ts';
export type { ImageDetails } from '../../engine/docker-api/index.ts';
export type { HistoryEntry, ImageFilters, ImageSummary } from '../engine-images.ts';
export type { CertificateView } from '../routes/certificates.ts';
export type { TransferEvent, TransferResult } from '../engine-registries.ts';
export type { SystemCheck, SystemInfo } from '../routes/system.ts';
export type {
  AmendBody,
  ControlBody,
  DeployBody,
  DownBody,
  ExecStart,
  ProjectSourceBody,
  RollbackBody,
} from '../wire.ts';
export type {
  BuiltImage,
  Failure,
  Ledger,
  LedgerFigures,
  LedgerPoint,
  LedgerPointSide,
  LedgerProbe,
  LedgerStep,
  LogLine,
  MetricVerdict,
  PlanView,
  ProgressEvent,
  ProjectView,
  ReleaseDetail,
  ReleaseDiff,
  ReleaseView,
  RolloutOutcome,
  RolloutStatus,
  SideView,
} from '../../delivery/rollout/index.ts';
