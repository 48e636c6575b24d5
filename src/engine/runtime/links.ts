import type { ContainerLink } from './container.ts';
import { isUp, type Containers, type Entry } from './containers.ts';
import { linkNotRunning } from './errors.ts';
import type { Host } from './host.ts';

/** What `--link` gives a container when it starts: names of the other, and Docker's variables about it. */
export interface Links {
  /** `name:address` */
  readonly hosts: readonly string[];
  readonly env: readonly string[];
}

/**
 * The others must run on the default bridge; on other networks they have names anyway, and one that does not run yet is
 * passed over. Addresses are those of this moment: a linked container that starts again may have another one.
 * @throws UserError `link-not-running`
 */
export function resolveLinks(host: Host, containers: Containers, entry: Entry): Links {
  const resolved = (entry.spec.links ?? []).map((link) => linkTo(host, containers, { entry, link }));
  return { hosts: resolved.flatMap(({ hosts }) => hosts), env: resolved.flatMap(({ env }) => env) };
}

const NONE: Links = { hosts: [], env: [] };

function linkTo(host: Host, containers: Containers, o: { entry: Entry; link: ContainerLink }): Links {
  const { link, entry } = o;
  const other = containers.get(link.containerId);
  const endpoints = host.networks.sandbox(other.id)?.endpoints ?? [];
  const endpoint = endpoints.find(({ networkName }) => networkName === link.network);
  const isOnBridge = link.network === 'bridge';
  if (!isUp(other) || endpoint === undefined) {
    if (!isOnBridge) return NONE;
    throw linkNotRunning(other.spec.name, `/${entry.spec.name}/${link.alias}`);
  }
  const names = isOnBridge ? [link.alias, other.id.slice(0, 12), other.spec.name] : [link.alias];
  return {
    hosts: [...new Set(names)].map((name) => `${name}:${endpoint.address}`),
    env: isOnBridge ? variablesOf(other, { ...link, address: endpoint.address, own: entry.spec.name }) : [],
  };
}

/** Docker's legacy variables (moby libnetwork/drivers/bridge, daemon/links/links.go). */
function variablesOf(other: Entry, o: { alias: string; address: string; own: string }): readonly string[] {
  const prefix = o.alias.replaceAll('-', '_').toUpperCase();
  const { ExposedPorts = {} } = other.spec.docker.Config as { ExposedPorts?: Record<string, unknown> };
  const ports = Object.keys(ExposedPorts)
    .map((text) => ({ port: text.split('/')[0] ?? '', protocol: text.split('/')[1] ?? 'tcp' }))
    .sort((a, b) => Number(a.port) - Number(b.port));
  const [first] = ports;
  const url = (p: { port: string; protocol: string }): string => `${p.protocol}://${o.address}:${p.port}`;
  return [
    ...(first === undefined ? [] : [`${prefix}_PORT=${url(first)}`]),
    ...ports.flatMap((p) => {
      const name = `${prefix}_PORT_${p.port}_${p.protocol.toUpperCase()}`;
      return [
        `${name}=${url(p)}`,
        `${name}_ADDR=${o.address}`,
        `${name}_PORT=${p.port}`,
        `${name}_PROTO=${p.protocol}`,
      ];
    }),
    `${prefix}_NAME=/${o.own}/${o.alias}`,
    ...other.spec.env.filter((entry) => !/^(?:HOME|PATH)=/.test(entry)).map((entry) => `${prefix}_ENV_${entry}`),
  ];
}
