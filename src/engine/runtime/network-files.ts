import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { readTextIfThere } from '../../lib/files.ts';
import type { Sandbox } from '../network/index.ts';
import type { Containers, Entry } from './containers.ts';
import { containerNotRunning } from './errors.ts';
import { isUp } from './containers.ts';
import type { Host } from './host.ts';
import { writeReadable } from './readable-file.ts';
import type { Namespaces } from './render-spec.ts';

/** How a container stands in the network: its namespace, and files to bind over those of the image. */
export interface Networking {
  readonly namespace: Namespaces['network'];
  readonly files: readonly { readonly source: string; readonly target: string }[];
}

/** Opens what the container's network mode asks for. */
export async function openNetworking(
  host: Host,
  containers: Containers,
  { entry, linked }: { readonly entry: Entry; readonly linked: readonly string[] },
): Promise<Networking> {
  const { network } = entry.spec;
  switch (network.mode) {
    case 'none':
      return { namespace: 'private', files: await ownFiles(entry, '', '') };
    case 'host':
      return { namespace: 'host', files: await hostFiles(entry) };
    case 'container':
      return shared(host, containers.get(network.id));
    case 'networks': {
      const sandbox = await host.networks.openSandbox({
        sandboxId: entry.id,
        name: entry.spec.name,
        hostname: hostnameOf(entry),
        ...(entry.spec.domainname ? { domainname: entry.spec.domainname } : {}),
        endpoints: network.endpoints,
        ports: network.ports,
        dns: network.dns,
        dnsSearch: network.dnsSearch,
        ...(network.dnsOptions === undefined ? {} : { dnsOptions: network.dnsOptions }),
        extraHosts: [...network.extraHosts, ...linked],
      });
      return ofSandbox(sandbox);
    }
  }
}

export function hostnameOf(entry: Entry): string {
  return entry.spec.hostname === '' ? entry.id.slice(0, 12) : entry.spec.hostname;
}

/** The other's namespace and files, as it has them now. */
function shared(host: Host, other: Entry): Networking {
  const sandbox = host.networks.sandbox(other.id);
  if (sandbox !== undefined) return ofSandbox(sandbox);
  if (!isUp(other) || other.state.init === undefined) throw containerNotRunning(other.id);
  if (other.spec.network.mode === 'host') return { namespace: 'host', files: filesIn(other.paths.directory) };
  return { namespace: { path: `/proc/${other.state.init.pid}/ns/net` }, files: filesIn(other.paths.directory) };
}

function ofSandbox(sandbox: Sandbox): Networking {
  return {
    namespace: { path: sandbox.namespacePath },
    files: [
      { source: sandbox.hosts, target: '/etc/hosts' },
      { source: sandbox.resolvConf, target: '/etc/resolv.conf' },
      { source: sandbox.hostnameFile, target: '/etc/hostname' },
    ],
  };
}

async function hostFiles(entry: Entry): Promise<Networking['files']> {
  const [hosts, resolv] = await Promise.all([readTextIfThere('/etc/hosts'), readTextIfThere('/etc/resolv.conf')]);
  return ownFiles(entry, hosts ?? '', resolv ?? '');
}

async function ownFiles(entry: Entry, hosts: string, resolv: string): Promise<Networking['files']> {
  const { directory } = entry.paths;
  const name = hostnameOf(entry);
  await mkdir(directory, { recursive: true });
  writeReadable(join(directory, 'hosts'), hosts === '' ? `127.0.0.1\tlocalhost ${name}\n::1\tlocalhost\n` : hosts);
  writeReadable(join(directory, 'resolv.conf'), resolv);
  writeReadable(join(directory, 'hostname'), `${name}\n`);
  return filesIn(directory);
}

function filesIn(directory: string): Networking['files'] {
  return ['hosts', 'resolv.conf', 'hostname'].map((file) => ({
    source: join(directory, file),
    target: `/etc/${file}`,
  }));
}
