import type { PortBinding } from './types.ts';

/** A row of `networks`. */
export interface NetworkRow {
  readonly id: string;
  readonly name: string;
  readonly driver: string;
  readonly subnet: string;
  readonly gateway: string;
  readonly ipRange: string;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly predefined: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly bridge: string;
  readonly mtu: number;
  readonly createdAt: Date;
}

/** What a sandbox was opened with, and what it is attached to now, in order. */
export interface SandboxRow {
  readonly id: string;
  readonly name: string;
  readonly settings: SandboxSettings;
  readonly endpoints: readonly EndpointRow[];
  readonly ports: readonly PortBinding[];
}

export interface SandboxSettings {
  readonly hostname: string;
  readonly domainname: string;
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly extraHosts: readonly string[];
}

export interface EndpointRow {
  readonly endpointId: string;
  readonly sandboxId: string;
  readonly networkId: string;
  readonly position: number;
  readonly address: string;
  readonly macAddress: string;
  readonly interfaceName: string;
  readonly aliases: readonly string[];
}

/** A resolver for a set of networks, with the address that it has on its home network. */
export interface ViewRow {
  readonly key: string;
  readonly homeNetworkId: string;
  readonly address: string;
}
