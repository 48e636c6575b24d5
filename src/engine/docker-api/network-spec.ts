import type { EndpointRequest, PortProtocol, PortRequest } from '../network/index.ts';
import type { NetworkSpec } from '../runtime/index.ts';
import type { CreateRequest, EndpointConfig } from './create-request.ts';
import { invalidParameter, unsupported } from './http-errors.ts';

export interface NetworkInputs {
  readonly request: CreateRequest;
  /** `80/tcp`, of the user and of the image. */
  readonly exposedPorts: readonly string[];
  /** The id of a container, for `container:<name>`. @throws UserError `container-not-found` */
  containerIdOf(nameOrId: string): string;
  /** The name of a network by name or id; an unknown one is given back as it is: the start tells. */
  networkNameOf(nameOrId: string): string;
}

/** @throws UserError `invalid-parameter`, `unsupported` */
export function networkSpecOf(inputs: NetworkInputs): NetworkSpec {
  const hostConfig = inputs.request.HostConfig ?? {};
  const mode = networkModeOf(inputs.request);
  if (mode === 'none' || mode === 'host') return { mode };
  if (mode.startsWith('container:')) {
    refusePorts(inputs);
    if (mode === 'container:')
      throw invalidParameter('invalid network mode: invalid container format container:<name|id>');
    return { mode: 'container', id: inputs.containerIdOf(mode.slice('container:'.length)) };
  }
  return {
    mode: 'networks',
    endpoints: endpointsOf(inputs, mode),
    ports: portsOf(inputs),
    dns: hostConfig.Dns ?? [],
    dnsSearch: hostConfig.DnsSearch ?? [],
    dnsOptions: hostConfig.DnsOptions ?? [],
    extraHosts: hostConfig.ExtraHosts ?? [],
  };
}

/** `HostConfig.NetworkMode` with the default filled in: `bridge`. */
function networkModeOf(request: CreateRequest): string {
  if (request.NetworkDisabled === true) return 'none';
  const mode = request.HostConfig?.NetworkMode ?? '';
  return mode === '' || mode === 'default' ? 'bridge' : mode;
}

export function endpointRequestOf(network: string, config: EndpointConfig, macAddress?: string): EndpointRequest {
  if (config.IPAMConfig?.IPv6Address) throw unsupported('a fixed IPv6 address (IPAMConfig.IPv6Address)');
  if ((config.IPAMConfig?.LinkLocalIPs ?? []).length > 0) throw unsupported('IPAMConfig.LinkLocalIPs');
  if (Object.keys(config.DriverOpts ?? {}).length > 0) throw unsupported('EndpointsConfig.DriverOpts');
  if (config.GwPriority)
    throw unsupported('EndpointsConfig.GwPriority', 'Name the network of the default route first.');
  const ipv4Address = config.IPAMConfig?.IPv4Address;
  const mac = config.MacAddress || macAddress;
  const aliases = config.Aliases ?? [];
  return {
    network,
    ...(aliases.length > 0 ? { aliases } : {}),
    ...(ipv4Address ? { ipv4Address } : {}),
    ...(mac ? { macAddress: mac } : {}),
  };
}

function endpointsOf(inputs: NetworkInputs, mode: string): readonly EndpointRequest[] {
  const { request } = inputs;
  const configs = new Map(
    Object.entries(request.NetworkingConfig?.EndpointsConfig ?? {}).map(
      ([name, config]) => [inputs.networkNameOf(name), config ?? {}] as const,
    ),
  );
  const first = inputs.networkNameOf(mode);
  const main = endpointRequestOf(
    first,
    configs.get(first) ?? configs.get('default') ?? {},
    request.MacAddress ?? undefined,
  );
  if (first === 'bridge') refuseOnDefaultBridge(main);
  const further = [...configs].filter(([name]) => name !== first && name !== 'default');
  return [main, ...further.map(([name, config]) => endpointRequestOf(name, config))];
}

function refuseOnDefaultBridge(endpoint: EndpointRequest): void {
  if ((endpoint.aliases ?? []).length > 0) {
    throw invalidParameter('network-scoped alias is supported only for containers in user defined networks');
  }
  if (endpoint.ipv4Address !== undefined) {
    throw invalidParameter('user specified IP address is supported on user defined networks only');
  }
}

function refusePorts({ request }: NetworkInputs): void {
  const hostConfig = request.HostConfig ?? {};
  if (Object.keys(hostConfig.PortBindings ?? {}).length > 0 || hostConfig.PublishAllPorts === true) {
    throw invalidParameter('conflicting options: port publishing and the container type network mode');
  }
}

function portsOf({ request, exposedPorts }: NetworkInputs): readonly PortRequest[] {
  const bindings = Object.entries(request.HostConfig?.PortBindings ?? {});
  const published = bindings.flatMap(([text, targets]) => publishedPorts(text, targets ?? []));
  if (request.HostConfig?.PublishAllPorts !== true) return published;
  const bound = new Set(published.map(({ containerPort, protocol }) => `${containerPort}/${protocol}`));
  const others = exposedPorts
    .flatMap(parsePorts)
    .filter((port) => !bound.has(`${port.containerPort}/${port.protocol}`));
  return [...published, ...others];
}

interface HostBinding {
  readonly HostIp?: string | null | undefined;
  readonly HostPort?: string | null | undefined;
}

function publishedPorts(text: string, targets: readonly HostBinding[]): readonly PortRequest[] {
  const ports = parsePorts(text);
  const wanted = targets.length === 0 ? [{}] : targets;
  return ports.flatMap((port) => wanted.map((target: HostBinding) => ({ ...port, ...hostSideOf(target) })));
}

/** A range gives one free port of it, as Docker has it. */
function hostSideOf(target: HostBinding): { hostAddress?: string; hostPort?: number; lastHostPort?: number } {
  const port = target.HostPort ?? '';
  const match = /^(\d+)(?:-(\d+))?$/.exec(port === '' ? '0' : port);
  const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match === null || last > 65_535 || last < first) {
    throw invalidParameter(`invalid port specification: "${port}"`, 'Ports are from 1 to 65535.');
  }
  return {
    ...(target.HostIp ? { hostAddress: target.HostIp } : {}),
    ...(first === 0 ? {} : { hostPort: first }),
    ...(first === last ? {} : { lastHostPort: last }),
  };
}

/** `80`, `80/udp` or `8000-8010/tcp`. @throws UserError `invalid-parameter`, `unsupported` */
export function parsePorts(text: string): readonly { containerPort: number; protocol: PortProtocol }[] {
  const match = /^(\d+)(?:-(\d+))?(?:\/(\w+))?$/.exec(text);
  const [first, last] = [Number(match?.[1]), Number(match?.[2] ?? match?.[1])];
  if (match === null || first < 1 || last > 65_535 || last < first) {
    throw invalidParameter(`invalid port specification: "${text}"`, 'Write it as PORT[-PORT][/tcp|udp].');
  }
  const protocol = (match[3] ?? 'tcp').toLowerCase();
  if (protocol === 'sctp') throw unsupported(`the protocol sctp (port ${text})`);
  if (protocol !== 'tcp' && protocol !== 'udp') throw invalidParameter(`invalid proto: ${protocol} (port ${text})`);
  return Array.from({ length: last - first + 1 }, (_, index) => ({ containerPort: first + index, protocol }));
}
