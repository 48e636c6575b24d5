export { imageNameOf } from '../fleet/index.ts';
export { createDelivery, type DeliveryOptions } from './delivery.ts';
export type {
  AmendRequest,
  BuiltImage,
  ControlRequest,
  Delivery,
  DeployRequest,
  DownRequest,
  ExecRequest,
  ExecSession,
  GuardView,
  InstanceTrafficRequest,
  InstanceView,
  Ledger,
  LedgerControl,
  LedgerFigures,
  LedgerPoint,
  LedgerPointSide,
  LedgerProbe,
  LedgerSeries,
  LedgerSide,
  LedgerStep,
  LedgerTraffic,
  LogLine,
  LogQuery,
  PlanView,
  ProjectView,
  ReleaseDetail,
  ReleaseDiff,
  ReleaseView,
  RollbackRequest,
  RolloutStatus,
  RunningRollout,
  SideView,
  WatchOptions,
} from './face.ts';
export type { Metric, MetricVerdict, Verdict } from './judge/analysis/index.ts';
export type { Probe } from './execute/probe.ts';
export type { ProgressEvent } from './progress.ts';
export type { Failure, PlannedStep, PortView, RolloutKind, RolloutOutcome, RolloutResult } from './outcome.ts';
