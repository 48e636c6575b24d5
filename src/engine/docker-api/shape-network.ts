import type { Endpoint, NetworkRecord } from '../network/index.ts';
import type { VolumeRecord } from '../volume/index.ts';

export interface Attached {
  readonly containerId: string;
  readonly containerName: string;
  readonly endpoint: Endpoint;
}

/** `GET /networks/{id}` (API 1.51, Network). */
export function inspectNetwork(network: NetworkRecord, attached: readonly Attached[]): object {
  return {
    Name: network.name,
    Id: network.id,
    Created: network.createdAt.toISOString(),
    Scope: 'local',
    Driver: network.driver === 'none' ? 'null' : network.driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: { Driver: 'default', Options: network.predefined ? null : {}, Config: ipamConfigOf(network) },
    Internal: network.internal,
    Attachable: network.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: Object.fromEntries(attached.map((entry) => [entry.containerId, attachedShape(entry)])),
    Options: optionsOf(network),
    Labels: network.labels,
  };
}

function ipamConfigOf(network: NetworkRecord): readonly object[] {
  if (network.subnet === '') return [];
  return [
    {
      Subnet: network.subnet,
      ...(network.ipRange === '' ? {} : { IPRange: network.ipRange }),
      Gateway: network.gateway,
    },
  ];
}

function optionsOf(network: NetworkRecord): Record<string, string> {
  if (!network.predefined || network.driver !== 'bridge') return { ...network.options };
  return {
    'com.docker.network.bridge.default_bridge': 'true',
    'com.docker.network.bridge.enable_icc': 'true',
    'com.docker.network.bridge.enable_ip_masquerade': 'true',
    'com.docker.network.bridge.host_binding_ipv4': '0.0.0.0',
    'com.docker.network.bridge.name': network.bridge,
    'com.docker.network.driver.mtu': String(network.mtu),
    ...network.options,
  };
}

function attachedShape({ containerName, endpoint }: Attached): object {
  return {
    Name: containerName,
    EndpointID: endpoint.endpointId,
    MacAddress: endpoint.macAddress,
    IPv4Address: `${endpoint.address}/${endpoint.prefixLength}`,
    IPv6Address: '',
  };
}

/** Docker marks the volumes that it has named itself. */
const ANONYMOUS = { 'com.docker.volume.anonymous': '' };

/** Labels as clients see them and filter by them. */
export function labelsOf(volume: VolumeRecord): Readonly<Record<string, string>> {
  return volume.anonymous ? { ...ANONYMOUS, ...volume.labels } : volume.labels;
}

/** `GET /volumes/{name}` (API 1.51, Volume). */
export function inspectVolume(
  volume: VolumeRecord,
  usage?: { readonly users: number; readonly bytes: number },
): object {
  return {
    CreatedAt: volume.createdAt.toISOString().replace(/\.\d+Z$/, 'Z'),
    Driver: volume.driver,
    Labels: nullIfEmpty(labelsOf(volume)),
    Mountpoint: volume.mountpoint,
    Name: volume.name,
    Options: nullIfEmpty(volume.options),
    Scope: 'local',
    ...(usage === undefined ? {} : { UsageData: { RefCount: usage.users, Size: usage.bytes } }),
  };
}

function nullIfEmpty(record: Readonly<Record<string, string>>): Readonly<Record<string, string>> | null {
  return Object.keys(record).length === 0 ? null : record;
}
