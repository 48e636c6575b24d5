import { isIP } from 'node:net';
import type { RegistrySettings } from './face.ts';

/** Where a registry is spoken to. */
export interface Endpoint {
  /** As people name it, e.g. `docker.io`; of a mirror its host. */
  readonly registry: string;
  /** Host and port of its address. */
  readonly host: string;
  /** Before `/v2/`; mirrors may have one. */
  readonly pathPrefix: string;
  readonly isMirror: boolean;
  /** In the order in which they are tried. */
  readonly schemes: readonly ('https' | 'http')[];
  readonly verifiesCertificate: boolean;
}

/** Docker Hub's address is another one than its name. */
const HUB = 'docker.io';
const HUB_HOST = 'registry-1.docker.io';

/** The registry itself. */
export function endpointOf(registry: string, settings: Pick<RegistrySettings, 'insecure'>): Endpoint {
  const host = registry === HUB ? HUB_HOST : registry;
  const isTrusted = !isInsecure(host, settings.insecure);
  return {
    ...{ registry, host, pathPrefix: '', isMirror: false },
    schemes: isTrusted ? ['https'] : ['https', 'http'],
    verifiesCertificate: isTrusted,
  };
}

/** Those that are asked before it, for what is pulled. */
export function mirrorsOf(registry: string, settings: RegistrySettings): readonly Endpoint[] {
  return (settings.mirrors[registry] ?? []).map((address) => {
    const { protocol, host, pathname } = new URL(address.includes('://') ? address : `https://${address}`);
    return {
      ...{ registry: host, host, isMirror: true },
      pathPrefix: pathname.replace(/\/+$/, ''),
      schemes: protocol === 'http:' ? ['http'] : ['https'],
      verifiesCertificate: !settings.insecure.includes(host),
    };
  });
}

function isInsecure(host: string, listed: readonly string[]): boolean {
  return isLoopback(hostnameOf(host)) || listed.includes(host) || listed.includes(hostnameOf(host));
}

function hostnameOf(host: string): string {
  return host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}

function isLoopback(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '::1') return true;
  return isIP(hostname) === 4 && hostname.startsWith('127.');
}
