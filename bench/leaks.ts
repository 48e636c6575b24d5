import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { scopeOf } from '../src/lib/scope.ts';
import type { Machine } from '../test/support/machine.ts';

/** What one daemon has on the machine, counted. */
export interface Holdings {
  readonly mounts: number;
  readonly processes: number;
  readonly 'descriptors of the daemon': number;
  readonly 'links of containers': number;
  readonly 'network namespaces': number;
  readonly 'control groups': number;
  readonly 'elements of packet rules': number;
  readonly 'files in the run directory': number;
  readonly 'kilobytes in the root': number;
  readonly 'resident megabytes of the daemon': number;
}

export async function holdingsOf(machine: Machine): Promise<Holdings> {
  const { root, runDirectory, suffix } = scopeOf(machine.root);
  const daemon = await machine.daemonPid();
  const rules = ruleSets(suffix === '' ? 'bascule' : `bascule_${suffix}`);
  const bridges = rules.find(({ name }) => name === 'bridges')?.elements ?? [];
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  return {
    mounts: mounts.filter((line) => line.includes(` ${root}/`) || line.includes(` ${runDirectory}/`)).length,
    processes: processesOf([root, runDirectory]),
    'descriptors of the daemon': readdirSync(`/proc/${daemon}/fd`).length,
    'links of containers': linksOn(bridges),
    'network namespaces': readdirSync(join(runDirectory, 'netns')).length,
    'control groups': controlGroups(suffix === '' ? 'bascule' : `bascule-${suffix}`),
    'elements of packet rules': rules.reduce((sum, { elements }) => sum + elements.length, 0),
    'files in the run directory': linesOf('find', [runDirectory, '-xdev']).length,
    'kilobytes in the root': Number(linesOf('du', ['-skx', root])[0]?.split('\t')[0]),
    'resident megabytes of the daemon': residentMegabytes(daemon),
  };
}

/** Of those that hold something of ours in their command lines: conmons, name servers, what runs commands for us. */
function processesOf(folders: readonly string[]): number {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => folders.some((folder) => commandLineOf(pid).includes(`${folder}/`))).length;
}

function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

function controlGroups(parent: string): number {
  const folders = ['/sys/fs/cgroup', ...readdirSync('/sys/fs/cgroup').map((name) => join('/sys/fs/cgroup', name))];
  const parents = folders.map((folder) => join(folder, parent)).filter((folder) => existsSync(folder));
  return parents.reduce((sum, folder) => sum + linesOf('find', [folder, '-mindepth', '1', '-type', 'd']).length, 0);
}

/** The host's ends of what is plugged into our bridges, but for the bridges themselves. */
function linksOn(bridges: readonly unknown[]): number {
  const folders = bridges.map((bridge) => `/sys/class/net/${String(bridge)}/brif`).filter((path) => existsSync(path));
  return folders.reduce((sum, folder) => sum + readdirSync(folder).length, 0);
}

interface RuleSet {
  readonly name: string;
  readonly elements: readonly unknown[];
}

/** Sets and maps of a table; none where there is no such table. */
function ruleSets(table: string): readonly RuleSet[] {
  const tables = nft<{ readonly table?: { readonly name: string } }>('tables');
  if (!tables.some((each) => each.table?.name === table)) return [];
  type Found = { readonly name: string; readonly elem?: readonly unknown[] } | undefined;
  return nft<{ readonly set?: Found; readonly map?: Found }>('table', 'ip', table).flatMap(({ set, map }) => {
    const found = set ?? map;
    return found === undefined ? [] : [{ name: found.name, elements: found.elem ?? [] }];
  });
}

function nft<T>(...words: readonly string[]): readonly T[] {
  return (JSON.parse(linesOf('nft', ['-j', 'list', ...words]).join('')) as { nftables: readonly T[] }).nftables;
}

export function residentMegabytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round(Number(kilobytes) / 100) / 10;
}

function linesOf(program: string, words: readonly string[]): readonly string[] {
  const text = execFileSync(program, words, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 2 ** 28,
  });
  return text.split('\n').filter((line) => line !== '');
}
