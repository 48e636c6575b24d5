/** What a network is made of. `bridge` has addresses and names; `host` and `none` are Docker's predefined two. */
export interface NetworkRecord {
  /** 64 hexadecimal digits. */
  readonly id: string;
  readonly name: string;
  readonly driver: NetworkDriver;
  /** CIDR, e.g. `10.89.0.0/24`; empty for `host` and `none`. */
  readonly subnet: string;
  readonly gateway: string;
  /** Addresses are chosen from this part of the subnet; empty: the whole subnet. */
  readonly ipRange: string;
  /** No way to the outside, and no outside names. */
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly createdAt: Date;
  /** Name of the bridge device, `bsc-<8 hex digits of the id>`; empty for `host` and `none`. */
  readonly bridge: string;
  /** Bytes; that of the default route unless the option `com.docker.network.driver.mtu` says otherwise. */
  readonly mtu: number;
  /** One of Docker's three that are always there and cannot be removed. */
  readonly predefined: boolean;
}

type NetworkDriver = 'bridge' | 'host' | 'none';

export interface NetworkRequest {
  readonly name: string;
  readonly driver?: string;
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  readonly options?: Readonly<Record<string, string>>;
  /** CIDR; the next free one of our pools when absent. */
  readonly subnet?: string;
  readonly gateway?: string;
  readonly ipRange?: string;
}

export interface EndpointRequest {
  /** Name or id of a network. */
  readonly network: string;
  readonly aliases?: readonly string[];
  readonly ipv4Address?: string;
  readonly macAddress?: string;
}

/** One attachment of a sandbox to a network. */
export interface Endpoint {
  readonly endpointId: string;
  readonly networkId: string;
  readonly networkName: string;
  /** IPv4 without prefix, e.g. `10.89.0.2`. */
  readonly address: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly macAddress: string;
  /** Beside the container's name and short id. */
  readonly aliases: readonly string[];
  /** Device inside the sandbox: `eth0`, `eth1` … */
  readonly interfaceName: string;
}

export type PortProtocol = 'tcp' | 'udp';

export interface PortRequest {
  readonly containerPort: number;
  readonly protocol: PortProtocol;
  /** IPv4 of this host; absent, empty, `0.0.0.0` or `::`: every address. */
  readonly hostAddress?: string;
  /** 0 or absent: one is chosen. */
  readonly hostPort?: number;
  /** One is chosen from `hostPort` to this one. */
  readonly lastHostPort?: number;
}

/** A published port as it is, with the host port chosen. */
export interface PortBinding {
  readonly containerPort: number;
  readonly protocol: PortProtocol;
  readonly hostAddress: string;
  readonly hostPort: number;
}

export interface SandboxRequest {
  /** The container's id: its first 12 digits become a name. */
  readonly sandboxId: string;
  /** The container's name: it resolves on user-defined networks. */
  readonly name?: string;
  readonly hostname: string;
  readonly domainname?: string;
  /** Bridge networks only, the first gives the default route; empty: a namespace with `lo` alone. */
  readonly endpoints: readonly EndpointRequest[];
  readonly ports: readonly PortRequest[];
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOptions?: readonly string[];
  /** `name:address`; the address `host-gateway` is that of the host on the first network. */
  readonly extraHosts?: readonly string[];
}

/** A network namespace with what it is attached to. */
export interface Sandbox {
  readonly id: string;
  readonly name: string;
  /** A bind-mounted namespace file: give it to runc as the path of the network namespace. */
  readonly namespacePath: string;
  readonly endpoints: readonly Endpoint[];
  readonly ports: readonly PortBinding[];
  /** To be bind-mounted over /etc/resolv.conf; rewritten in place when networks change. */
  readonly resolvConf: string;
  /** To be bind-mounted over /etc/hosts. */
  readonly hosts: string;
  /** To be bind-mounted over /etc/hostname. */
  readonly hostnameFile: string;
}

export type NetworkEvent =
  | { readonly kind: 'create' | 'destroy'; readonly network: NetworkRecord }
  | { readonly kind: 'connect' | 'disconnect'; readonly network: NetworkRecord; readonly sandboxId: string };

/** One line of `bascule doctor`. */
export interface NetworkCheck {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  /** What to do, where something is wrong. */
  readonly fix?: string;
}

/** Networks of one daemon: records, addresses, bridges, rules, names. All mutations are done one after another. */
export interface Networks {
  list(): readonly NetworkRecord[];
  /** By name, id, or the unambiguous beginning of an id. */
  find(nameOrId: string): NetworkRecord | undefined;
  /** @throws UserError `network-not-found` */
  get(nameOrId: string): NetworkRecord;
  /** @throws UserError `network-name-taken`, `network-subnet-overlaps`, `network-invalid`, `network-pools-exhausted` */
  create(request: NetworkRequest): Promise<NetworkRecord>;
  /** @throws UserError `network-in-use`, `network-predefined`, `network-not-found` */
  remove(nameOrId: string): Promise<void>;
  /** Removes networks without endpoints for which `filter` holds; gives those removed. */
  prune(filter?: (network: NetworkRecord) => boolean): Promise<readonly NetworkRecord[]>;
  /**
   * A network namespace with all its endpoints and published ports in one go.
   * A sandbox of the same id that is there already is closed first (a start after a crash).
   * @throws UserError `port-taken`, `address-taken`, `network-not-found`, `network-full`, `network-invalid`
   */
  openSandbox(request: SandboxRequest): Promise<Sandbox>;
  /** @throws UserError `already-connected`, `sandbox-not-found` and those of `openSandbox` */
  connect(sandboxId: string, request: EndpointRequest): Promise<Endpoint>;
  /** @throws UserError `not-connected`, `sandbox-not-found` */
  disconnect(sandboxId: string, network: string): Promise<void>;
  /** The container's new name, for the name service. */
  rename(sandboxId: string, name: string): Promise<void>;
  /** Nothing happens when there is none of that id. */
  closeSandbox(sandboxId: string): Promise<void>;
  sandbox(sandboxId: string): Sandbox | undefined;
  endpointsOf(nameOrId: string): readonly { readonly sandboxId: string; readonly endpoint: Endpoint }[];
  /** At start: what is missing (after a reboot) is made again, sandboxes that are not alive are dropped. */
  adopt(liveSandboxIds: ReadonlySet<string>): Promise<void>;
  onEvent(listener: (event: NetworkEvent) => void): void;
  check(): Promise<readonly NetworkCheck[]>;
  /** Lets go; containers, bridges and name servers go on. */
  close(): Promise<void>;
  /** Removes everything of this scope from the machine: namespaces, bridges, rules, name servers. Records stay. */
  destroy(): Promise<void>;
}
