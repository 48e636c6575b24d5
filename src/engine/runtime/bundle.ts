import { existsSync } from 'node:fs';
import { chmod, writeFile } from 'node:fs/promises';
import { UserError } from '../../lib/errors.ts';
import type { Containers, Entry } from './containers.ts';
import { hostDevices, resolveDevices } from './devices.ts';
import type { ContainerSpec } from './container.ts';
import { apparmorMissing, containerNotRunning, initMissing } from './errors.ts';
import type { Host } from './host.ts';
import { resolveLinks, type Links } from './links.ts';
import { findInit } from './machine.ts';
import { resolveMounts } from './mount-sources.ts';
import { followTargets } from './mount-targets.ts';
import { hostnameOf, openNetworking, type Networking } from './network-files.ts';
import type { ResolvedMount } from './render-mounts.ts';
import { renderSpec, specText, type Namespaces } from './render-spec.ts';
import { mountRoot } from './root-mount.ts';
import { readInRoot } from '../../lib/root-path.ts';
import { resolveUser } from './users.ts';

const INIT_PATH = '/sbin/docker-init';

/** Mounts the root, opens the network and writes `config.json`: everything that the OCI runtime needs. */
export async function prepareBundle(host: Host, containers: Containers, entry: Entry): Promise<void> {
  const init = entry.spec.init ? (findInit() ?? noInit()) : undefined;
  const links = resolveLinks(host, containers, entry);
  const [networking] = await settle([
    openNetworking(host, containers, { entry, linked: links.hosts }).catch(sayingNetworking(entry)),
    mountRoot(host, entry),
  ]);
  const text = await specOf(host, containers, entry, { networking, init, links });
  await writeFile(entry.paths.config, text, { mode: 0o600 }); // environments hold passwords
  await chmod(entry.paths.config, 0o600); // one that was there before
}

/** As dockerd begins what it says of a network, a port or an address that cannot be had. */
function sayingNetworking(entry: Entry) {
  return (error: unknown): never => {
    if (!(error instanceof UserError)) throw error;
    const { code, fix, details } = error;
    const isPort = code.startsWith('port-');
    const what = isPort
      ? `driver failed programming external connectivity on endpoint ${entry.spec.name} (${entry.id}): `
      : '';
    const message = `failed to set up container networking: ${what}${error.message}`;
    throw new UserError({ code, kind: isPort ? 'failed' : error.kind, message, fix, details, cause: error });
  };
}

/** Waits for both before it fails: what the other one made must be there to be undone. */
async function settle<A, B>(both: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(both);
  return Promise.all(both);
}

function noInit(): never {
  throw initMissing();
}

interface Surroundings {
  readonly networking: Networking;
  readonly init: string | undefined;
  readonly links: Links;
}

async function specOf(host: Host, containers: Containers, entry: Entry, around: Surroundings): Promise<string> {
  const { spec, paths } = entry;
  const [passwd, group, mounts, devices] = await Promise.all([
    readInRoot(paths.root, '/etc/passwd'),
    readInRoot(paths.root, '/etc/group'),
    resolveMounts(spec.mounts, { host, root: paths.root, id: entry.id }),
    spec.security.privileged ? hostDevices() : resolveDevices(spec.devices),
  ]);
  const all = around.init === undefined ? mounts : [...mounts, initMount(around.init)];
  const rendered = renderSpec({
    spec: { ...spec, hostname: hostnameOf(entry), env: [...around.links.env, ...spec.env], security: securityOf(spec) },
    user: resolveUser(spec.user, spec.groupAdd, { passwd, group }),
    rootDirectory: paths.root,
    cgroupsPath: paths.cgroup,
    namespaces: namespacesOf(containers, entry, around.networking),
    mounts: await followTargets(paths.root, all),
    files: await followTargets(paths.root, around.networking.files),
    devices,
    machine: host.machine,
    ...(around.init === undefined ? {} : { initPath: INIT_PATH }),
  });
  for (const warning of rendered.warnings) host.log.warn({ container: entry.id }, warning);
  return specText(rendered.spec);
}

/** @throws UserError `apparmor-missing` */
function securityOf({ security }: ContainerSpec): ContainerSpec['security'] {
  const { apparmorProfile: profile, ...others } = security;
  if (profile === undefined || existsSync('/sys/kernel/security/apparmor')) return security;
  if (profile !== 'unconfined') throw apparmorMissing(profile);
  return others;
}

function initMount(source: string): ResolvedMount {
  return { type: 'bind', source, target: INIT_PATH, readOnly: true };
}

function namespacesOf(containers: Containers, entry: Entry, networking: Networking): Namespaces {
  const { pidMode, ipcMode, utsMode } = entry.spec;
  return {
    network: networking.namespace,
    pid: namespaceOf(containers, pidMode, 'pid'),
    ipc: ipcMode === 'none' ? 'none' : namespaceOf(containers, ipcMode, 'ipc'),
    uts: utsMode === 'host' ? 'host' : 'private',
    ...(entry.spec.cgroupNamespace === undefined ? {} : { cgroup: entry.spec.cgroupNamespace }),
  };
}

function namespaceOf(
  containers: Containers,
  mode: string | undefined,
  kind: 'pid' | 'ipc',
): 'host' | 'private' | { readonly path: string } {
  if (mode === 'host') return 'host';
  if (!mode?.startsWith('container:')) return 'private';
  const other = containers.get(mode.slice('container:'.length));
  if (other.state.init === undefined) throw containerNotRunning(other.id);
  return { path: `/proc/${other.state.init.pid}/ns/${kind}` };
}
