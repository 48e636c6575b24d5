import { readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { readTextIfThere } from '../../../lib/files.ts';
import { run, runOrThrow } from '../../../lib/process.ts';
import { type Listener, listenerFor, parseListeners, transportOf } from '../ports.ts';
import type { PortHolder, PortKey, TcpTarget } from '../traffic.ts';
import { CONNECTION_MARK, type NftState, renderRemoval, renderTraffic } from './render-nft.ts';

/** Replaces all rules of our table in one transaction. */
export async function applyTraffic(state: NftState): Promise<void> {
  await runOrThrow(['nft', '-f', '-'], { input: renderTraffic(state), timeoutMs: 10_000 });
  await Promise.all(state.targetInterfaces.map(allowLoopbackSources));
  if (state.targetInterfaces.length > 0) await letDockerForward(state.table);
}

/** What the kernel has of our table, as text to compare; undefined when it is not there. Takes 3 ms. */
export async function readTraffic(table: string): Promise<string | undefined> {
  const { exitCode, stdout } = await run(['nft', 'list', 'table', 'inet', table], { timeoutMs: 10_000 });
  return exitCode === 0 ? stdout : undefined;
}

export async function removeTraffic(table: string): Promise<void> {
  await runOrThrow(['nft', '-f', '-'], { input: renderRemoval(table), timeoutMs: 10_000 });
  await iptables('-D', dockerRule(table));
}

/**
 * Where dockerd runs, it drops forwarded packets that none of its own rules lets through. Its chain DOCKER-USER is
 * meant for exceptions like ours; where there is none, nothing is to be done.
 */
async function letDockerForward(table: string): Promise<void> {
  if (await iptables('-C', dockerRule(table))) return;
  await iptables('-I', dockerRule(table));
}

function dockerRule(table: string): readonly string[] {
  const mark = `0x${CONNECTION_MARK.toString(16)}`;
  return ['DOCKER-USER', '-m', 'connmark', '--mark', mark, '-m', 'comment', '--comment', table, '-j', 'ACCEPT'];
}

/** False when it failed: the chain, the rule or the program itself is not there. */
async function iptables(action: '-C' | '-I' | '-D', rule: readonly string[]): Promise<boolean> {
  return run(['iptables', '-w', '5', action, ...rule], { timeoutMs: 10_000 }).then(
    ({ exitCode }) => exitCode === 0,
    () => false,
  );
}

/** Interfaces by which the targets are reached, the loopback left out. */
export async function interfacesTo(targets: readonly TcpTarget[]): Promise<readonly string[]> {
  const addresses = [...new Set(targets.map((target) => target.address))];
  const names = await Promise.all(addresses.map(interfaceTo));
  return [...new Set(names.filter((name) => name !== undefined && name !== 'lo'))].sort() as string[];
}

async function interfaceTo(address: string): Promise<string | undefined> {
  const { exitCode, stdout } = await run(['ip', '-j', 'route', 'get', address], { timeoutMs: 5_000 });
  if (exitCode !== 0) return undefined;
  const [route] = JSON.parse(stdout) as { dev?: string }[];
  return route?.dev;
}

/** Lets packets from 127.0.0.1 leave by this interface (and only as answers come back: see the chain `guard`). */
async function allowLoopbackSources(name: string): Promise<void> {
  const path = `/proc/sys/net/ipv4/conf/${name}/route_localnet`;
  if ((await readTextIfThere(path))?.trim() !== '0') return;
  await writeFile(path, '1');
}

/** A program that listens on this port already. */
export async function holderOf(wanted: PortKey): Promise<PortHolder | undefined> {
  const transport = transportOf(wanted);
  const tables = await Promise.all([transport, `${transport}6`].map((name) => readTextIfThere(`/proc/net/${name}`)));
  const listener = listenerFor(
    wanted,
    tables.flatMap((text) => parseListeners(text ?? '')),
  );
  if (listener === undefined) return undefined;
  const pid = await pidOfSocket(listener.inode);
  return { address: addressText(listener), ...(pid === undefined ? {} : { pid, program: await programOf(pid) }) };
}

function addressText({ address, port }: Listener): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

async function pidOfSocket(inode: number): Promise<number | undefined> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    if (await hasSocket(pid, inode)) return Number(pid);
  }
  return undefined;
}

async function hasSocket(pid: string, inode: number): Promise<boolean> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const links = await Promise.all(descriptors.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => '')));
  return links.includes(`socket:[${inode}]`);
}

async function programOf(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
}

/** The table of another daemon on this machine that has this port. */
export async function otherTableWith(wanted: PortKey, ownTable: string): Promise<string | undefined> {
  const sets = await run(['nft', '-j', 'list', 'sets', 'inet'], { timeoutMs: 10_000 });
  if (sets.exitCode !== 0) return undefined;
  const kinds = transportOf(wanted) === 'udp' ? ['udp_ports'] : ['http_ports', 'tcp_ports'];
  const { nftables } = JSON.parse(sets.stdout) as { nftables: readonly { set?: NftSet }[] };
  const found = nftables.find(
    ({ set }) =>
      set !== undefined &&
      set.table !== ownTable &&
      /^bascule_traffic(?:_|$)/.test(set.table) &&
      kinds.includes(set.name) &&
      (set.elem ?? []).includes(wanted.port),
  );
  return found?.set?.table;
}

interface NftSet {
  readonly table: string;
  readonly name: string;
  readonly elem?: readonly unknown[];
}
