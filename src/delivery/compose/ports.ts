import type { Port, Service, TrafficProtocol } from './project.ts';

/** How a published port is carried: `http` through the proxy, `tcp` and `udp` through packet rules. */
export function portProtocol(_port: Port, _service: Service): TrafficProtocol | 'udp' {
  return 'http';
}
