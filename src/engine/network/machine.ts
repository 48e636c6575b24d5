import { readFileSync } from 'node:fs';
import { chmod, mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { run } from '../../lib/process.ts';
import { machineFailed } from './errors.ts';
import type { Subnet } from './ipv4.ts';
import { parseCidr } from './ipv4.ts';
import { openUnmount, type Unmount } from './unmount.ts';

/** What the machine's own network looks like. */
export interface HostNetwork {
  /** Of its interfaces and routes, those of other engines included. */
  readonly subnets: readonly { readonly subnet: Subnet; readonly device: string }[];
  readonly addresses: ReadonlySet<string>;
  /** MTU in bytes of the device of the default route; 1500 without one. */
  readonly mtu: number;
  readonly devices: ReadonlySet<string>;
}

interface IpRoute {
  readonly dst: string;
  readonly dev?: string;
}
interface IpLink {
  readonly ifname: string;
  readonly mtu: number;
  readonly addr_info: readonly { readonly family: string; readonly local: string; readonly prefixlen: number }[];
}

export async function observeHost(): Promise<HostNetwork> {
  const [routes, links] = await Promise.all([ipJson<IpRoute[]>('route'), ipJson<IpLink[]>('addr')]);
  const inet = links.flatMap((link) =>
    link.addr_info
      .filter((info) => info.family === 'inet')
      .map((info) => ({ device: link.ifname, address: info.local, cidr: `${info.local}/${info.prefixlen}` })),
  );
  const routed = routes
    .filter((route) => route.dst !== 'default')
    .map((route) => ({ device: route.dev ?? '', cidr: route.dst.includes('/') ? route.dst : `${route.dst}/32` }));
  const defaultDevice = routes.find((route) => route.dst === 'default')?.dev;
  return {
    subnets: [...inet, ...routed].flatMap(({ device, cidr }) => {
      const parsed = parseCidr(cidr);
      return parsed === undefined ? [] : [{ device, subnet: parsed.subnet }];
    }),
    addresses: new Set(inet.map(({ address }) => address)),
    mtu: links.find((link) => link.ifname === defaultDevice)?.mtu ?? 1500,
    devices: new Set(links.map((link) => link.ifname)),
  };
}

async function ipJson<T>(object: string): Promise<T> {
  const { exitCode, stdout, stderr } = await run(['ip', '-j', object]);
  if (exitCode !== 0) throw machineFailed(`ip ${object}`, stderr);
  return JSON.parse(stdout || '[]') as T;
}

/** One `ip -batch` in the host's namespace. */
export async function ipBatch(batch: string, what: string): Promise<void> {
  if (batch === '') return;
  const { exitCode, stderr } = await run(['ip', '-batch', '-'], { input: batch });
  if (exitCode !== 0) throw machineFailed(what, stderr);
}

/** One `nft -f`: a transaction. */
export async function nftTransaction(text: string): Promise<void> {
  if (text === '') return;
  const { exitCode, stderr } = await run(['nft', '-f', '-'], { input: text });
  if (exitCode !== 0) throw machineFailed('packet rules (nft)', stderr);
}

/**
 * A namespace that stays without a process, bound to `path`, and the batch carried out in it: one process in all.
 * A half-made one is taken away.
 */
export async function makeNamespace(path: string, batch: string): Promise<void> {
  await writeFile(path, '', { flag: 'wx', mode: 0o600 });
  const { exitCode, stderr } = await run(['unshare', `--net=${path}`, 'ip', '-batch', '-'], { input: batch });
  if (exitCode === 0) return;
  await dropNamespace(path, openUnmount());
  throw machineFailed('network namespace', stderr);
}

/** One `ip -batch` inside a namespace. */
export async function batchInNamespace(path: string, batch: string): Promise<void> {
  const { exitCode, stderr } = await run(['nsenter', `--net=${path}`, 'ip', '-batch', '-'], { input: batch });
  if (exitCode !== 0) throw machineFailed('network namespace', stderr);
}

/** Unbinds a namespace; it ends with its last process. Nothing happens when there is none. */
export async function dropNamespace(path: string, unmount: Unmount): Promise<void> {
  await unmount(path);
  await rm(path, { force: true });
}

/** Folders that everybody may pass through (the name servers run as nobody), whatever the umask. */
export async function makeDirectories(...paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    await mkdir(path, { recursive: true, mode: 0o711 });
    const { mode } = await stat(path);
    if ((mode & 0o011) !== 0o011) await chmod(path, (mode & 0o777) | 0o011);
  }
}

/** The index of a device, or undefined when it is not there. */
export function indexOfDevice(name: string): number | undefined {
  const text = readIfThere(`/sys/class/net/${name}/ifindex`);
  return text === undefined ? undefined : Number(text);
}

/** Sets a kernel parameter, e.g. `net/ipv4/ip_forward`; says whether it had another value before. */
export async function setKernelParameter(name: string, value: string): Promise<boolean> {
  const path = `/proc/sys/${name}`;
  if (readIfThere(path)?.trim() === value) return false;
  try {
    await writeFile(path, value);
  } catch (error) {
    throw machineFailed(`cannot set ${name.replaceAll('/', '.')}`, messageOf(error));
  }
  return true;
}

/** Lets frames return by the port they came from: a container that calls itself by a published port, under br_netfilter. */
export async function allowHairpin(hostLink: string, log: Log): Promise<void> {
  try {
    await writeFile(`/sys/class/net/${hostLink}/brport/hairpin_mode`, '1');
  } catch (error) {
    log.debug({ hostLink, error: messageOf(error) }, 'hairpin mode cannot be set');
  }
}

export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
