export { createDelivery, type DeliveryOptions } from './delivery.ts';
export type {
  BuiltImage,
  Delivery,
  DeployRequest,
  DownRequest,
  ExecRequest,
  ExecSession,
  InstanceView,
  Ledger,
  LedgerStep,
  LedgerTraffic,
  LogLine,
  LogQuery,
  PlanView,
  ProjectView,
  ReleaseView,
  RollbackRequest,
  RunningRollout,
  WatchOptions,
} from './face.ts';
export type { Probe } from './probe.ts';
export type { ProgressEvent } from './progress.ts';
export type { Failure, PlannedStep, PortView, RolloutKind, RolloutOutcome, RolloutResult } from './outcome.ts';
