export { freeLanes } from './lanes.ts';
export { openTraffic, type TrafficOptions } from './open.ts';
export type {
  InstanceAddress,
  InstanceState,
  Lane,
  LaneCounters,
  LaneId,
  LaneInstance,
  PortHolder,
  PortKey,
  PortProtocol,
  PublishedPort,
  RouteId,
  RouteShare,
  TcpTarget,
  Traffic,
  TrafficCounters,
  TrafficState,
} from './traffic.ts';
