export { createClient, type Client, type ExecConnection, type Streamed } from './client.ts';
export type { Override, Setting } from '../configuration/index.ts';
export type { ImageSummary } from '../engine-client.ts';
export type { SystemCheck, SystemInfo } from '../routes/system.ts';
export type { DeployBody, DownBody, ExecStart, ProjectSourceBody, RollbackBody } from '../wire.ts';
export type {
  BuiltImage,
  Failure,
  Ledger,
  LogLine,
  PlanView,
  ProgressEvent,
  ProjectView,
  ReleaseView,
  RolloutOutcome,
} from '../../delivery/rollout/index.ts';
