import type { Port, Service, TrafficProtocol } from './service.ts';

/** Words of `app_protocol` that an HTTP/1 proxy can carry; TLS, HTTP/2 and anything else pass as bytes. */
const HTTP_WORDS = new Set(['http', 'http1', 'http/1.1', 'ws', 'websocket']);

/** Container ports that by convention speak something else than plain HTTP. */
const OTHER_PORTS = new Set([
  21, 22, 23, 25, 53, 110, 143, 389, 443, 465, 587, 636, 853, 993, 995, 1433, 1521, 1883, 2181, 3306, 3389, 4222, 5222,
  5432, 5671, 5672, 6379, 6432, 7687, 8443, 8883, 9042, 9092, 11211, 26379, 27017, 50051, 61616,
]);

/**
 * How a published port is carried: `http` through the proxy, `tcp` and `udp` through packet rules. In this order:
 * the port's transport, its `app_protocol`, the service's `x-bascule.protocol`, well-known ports, else HTTP.
 */
export function portProtocol(
  port: Pick<Port, 'target' | 'protocol' | 'app_protocol'>,
  service: Pick<Service, 'settings'>,
): TrafficProtocol | 'udp' {
  if (port.protocol === 'udp') return 'udp';
  if (port.app_protocol !== undefined) return HTTP_WORDS.has(port.app_protocol.toLowerCase()) ? 'http' : 'tcp';
  return service.settings.protocol ?? (OTHER_PORTS.has(port.target) ? 'tcp' : 'http');
}
