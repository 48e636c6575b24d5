export { freeLanes } from './lanes.ts';
export { openTraffic, type TrafficOptions } from './open.ts';
export { normalisedMatch } from './ports.ts';
export type {
  Cohort,
  InstanceAddress,
  InstanceState,
  Lane,
  LaneCounters,
  LaneId,
  LaneInstance,
  LossKind,
  PortHolder,
  PortKey,
  PortProtocol,
  Preview,
  PreviewMatch,
  PublishedPort,
  RequestSample,
  RouteId,
  RouteMatch,
  RouteOptions,
  RouteShare,
  TcpTarget,
  Traffic,
  TrafficCounters,
  TrafficState,
} from './traffic.ts';
