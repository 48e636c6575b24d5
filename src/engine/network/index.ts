export { alreadyConnected, notConnected } from './errors.ts';
export { openNetworks } from './networks.ts';
export type { NetworksOptions } from './networks.ts';
export type {
  Endpoint,
  EndpointRequest,
  NetworkCheck,
  NetworkEvent,
  NetworkRecord,
  NetworkRequest,
  Networks,
  PortBinding,
  PortProtocol,
  PortRequest,
  Sandbox,
  SandboxRequest,
} from './types.ts';
