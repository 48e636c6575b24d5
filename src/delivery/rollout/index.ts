export { imageNameOf } from '../fleet/index.ts';
export { createDelivery, type DeliveryOptions } from './delivery.ts';
export type {
  AmendRequest,
  ControlRequest,
  Delivery,
  DeployRequest,
  DownRequest,
  ExecRequest,
  InstanceTrafficRequest,
  LogQuery,
  RollbackRequest,
  WatchOptions,
} from './face.ts';
export type {
  BuiltImage,
  ExecSession,
  GuardView,
  InstanceView,
  LogLine,
  PlanView,
  ProjectView,
  ReleaseDetail,
  ReleaseDiff,
  ReleaseView,
  RolloutStatus,
  RunningRollout,
  SideView,
} from './views.ts';
export type {
  Ledger,
  LedgerControl,
  LedgerFigures,
  LedgerPoint,
  LedgerPointSide,
  LedgerProbe,
  LedgerSeries,
  LedgerSide,
  LedgerTraffic,
} from './ledger-view.ts';
export type { Metric, MetricVerdict, Verdict } from './judge/analysis/index.ts';
export type { Probe } from './execute/probe.ts';
export type { ProgressEvent } from './progress.ts';
export type {
  Failure,
  LedgerStep,
  PlannedStep,
  PortView,
  RolloutKind,
  RolloutOutcome,
  RolloutResult,
} from './outcome.ts';
