export { createDelivery, type DeliveryOptions } from './delivery.ts';
export type {
  BuiltImage,
  Delivery,
  DeployRequest,
  DownRequest,
  ExecRequest,
  ExecSession,
  Failure,
  InstanceView,
  Ledger,
  LedgerStep,
  LedgerTraffic,
  LogLine,
  LogQuery,
  PlanView,
  PortView,
  ProjectView,
  ReleaseView,
  RollbackRequest,
  RolloutKind,
  RolloutOutcome,
  RolloutResult,
  RunningRollout,
  WatchOptions,
} from './face.ts';
export type { Probe } from './probe.ts';
export type { PlannedStep, ProgressEvent } from './progress.ts';
