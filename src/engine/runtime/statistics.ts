import { readFile } from 'node:fs/promises';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { UserError } from '../../lib/errors.ts';
import { cgroupDirectory, parseKeyed, processesOf, readCgroupFile } from './cgroup.ts';
import type { NetworkStatistics, Processes, Statistics } from './face.ts';

const NS_PER_TICK = 1e7;

/** Counters of a control group of either version, and of the network that its process sees. */
export async function readStatistics(version: 1 | 2, group: string, pid: number): Promise<Statistics> {
  const read = (controller: string, file: string): Promise<string | undefined> =>
    readCgroupFile(join(cgroupDirectory(version, controller, group), file));
  const [cpu, memory, pids, io, networks, hostNs] = await Promise.all([
    version === 2 ? cpuOfVersion2(read) : cpuOfVersion1(read),
    version === 2 ? memoryOfVersion2(read) : memoryOfVersion1(read),
    readPids(read),
    version === 2 ? ioOfVersion2(read) : ioOfVersion1(read),
    readFile(`/proc/${pid}/net/dev`, 'utf8').then(parseNetworkDevices, () => ({})),
    readFile('/proc/stat', 'utf8').then(hostCpuNs),
  ]);
  return {
    readAt: new Date(),
    cgroupVersion: version,
    cpu: { ...cpu, hostNs, onlineCpus: availableParallelism() },
    memory: { ...memory, limitBytes: Math.min(memory.limitBytes, totalmem()) },
    pids,
    io,
    networks,
  };
}

type Read = (controller: string, file: string) => Promise<string | undefined>;
type Cpu = Omit<Statistics['cpu'], 'hostNs' | 'onlineCpus'>;

async function cpuOfVersion2(read: Read): Promise<Cpu> {
  const stat = parseKeyed(await read('cpu', 'cpu.stat'));
  return {
    totalNs: (stat['usage_usec'] ?? 0) * 1e3,
    userNs: (stat['user_usec'] ?? 0) * 1e3,
    systemNs: (stat['system_usec'] ?? 0) * 1e3,
    periods: stat['nr_periods'] ?? 0,
    throttledPeriods: stat['nr_throttled'] ?? 0,
    throttledNs: (stat['throttled_usec'] ?? 0) * 1e3,
  };
}

async function cpuOfVersion1(read: Read): Promise<Cpu> {
  const [usage, split, throttling] = await Promise.all([
    read('cpuacct', 'cpuacct.usage'),
    read('cpuacct', 'cpuacct.stat'),
    read('cpu', 'cpu.stat'),
  ]);
  const [ticks, stat] = [parseKeyed(split), parseKeyed(throttling)];
  return {
    totalNs: Number(usage ?? 0),
    userNs: (ticks['user'] ?? 0) * NS_PER_TICK,
    systemNs: (ticks['system'] ?? 0) * NS_PER_TICK,
    periods: stat['nr_periods'] ?? 0,
    throttledPeriods: stat['nr_throttled'] ?? 0,
    throttledNs: stat['throttled_time'] ?? 0,
  };
}

async function memoryOfVersion2(read: Read): Promise<Statistics['memory']> {
  const [current, max, peak, text] = await Promise.all(
    ['memory.current', 'memory.max', 'memory.peak', 'memory.stat'].map((file) => read('memory', file)),
  );
  const statistics = parseKeyed(text);
  return {
    usageBytes: Number(current ?? 0),
    limitBytes: limitOf(max),
    maxUsageBytes: Number(peak ?? current ?? 0),
    inactiveFileBytes: statistics['inactive_file'] ?? 0,
    statistics,
  };
}

async function memoryOfVersion1(read: Read): Promise<Statistics['memory']> {
  const files = ['memory.usage_in_bytes', 'memory.limit_in_bytes', 'memory.max_usage_in_bytes', 'memory.stat'];
  const [usage, limit, peak, text] = await Promise.all(files.map((file) => read('memory', file)));
  const statistics = parseKeyed(text);
  return {
    usageBytes: Number(usage ?? 0),
    limitBytes: limitOf(limit),
    maxUsageBytes: Number(peak ?? 0),
    inactiveFileBytes: statistics['total_inactive_file'] ?? 0,
    statistics,
  };
}

async function readPids(read: Read): Promise<Statistics['pids']> {
  const [current, max] = await Promise.all([read('pids', 'pids.current'), read('pids', 'pids.max')]);
  const limit = limitOf(max);
  return { current: Number(current ?? 0), limit: limit === Infinity ? 0 : limit };
}

async function ioOfVersion2(read: Read): Promise<Statistics['io']> {
  const text = (await read('io', 'io.stat')) ?? '';
  return { readBytes: sumOf(text, /\brbytes=(\d+)/g), writtenBytes: sumOf(text, /\bwbytes=(\d+)/g) };
}

async function ioOfVersion1(read: Read): Promise<Statistics['io']> {
  const text = (await read('blkio', 'blkio.throttle.io_service_bytes')) ?? '';
  return { readBytes: sumOf(text, /\bRead (\d+)/g), writtenBytes: sumOf(text, /\bWrite (\d+)/g) };
}

function sumOf(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((sum, match) => sum + Number(match[1]), 0);
}

function limitOf(text: string | undefined): number {
  const trimmed = text?.trim() ?? 'max';
  return trimmed === 'max' ? Infinity : Number(trimmed);
}

function hostCpuNs(text: string): number {
  const [, ...ticks] = (text.split('\n')[0] ?? '').trim().split(/\s+/);
  return ticks.slice(0, 8).reduce((sum, value) => sum + Number(value), 0) * NS_PER_TICK;
}

/** /proc/net/dev without the loopback. */
export function parseNetworkDevices(text: string): Readonly<Record<string, NetworkStatistics>> {
  const rows = text
    .split('\n')
    .slice(2)
    .flatMap((line) => {
      const colon = line.indexOf(':');
      const name = line.slice(0, colon).trim();
      if (colon < 0 || name === 'lo') return [];
      const f = line
        .slice(colon + 1)
        .trim()
        .split(/\s+/)
        .map(Number);
      const at = (index: number): number => f[index] ?? 0;
      return [[name, devicesRow(at)] as const];
    });
  return Object.fromEntries(rows);
}

function devicesRow(at: (index: number) => number): NetworkStatistics {
  return {
    receivedBytes: at(0),
    receivedPackets: at(1),
    receiveErrors: at(2),
    receiveDropped: at(3),
    sentBytes: at(8),
    sentPackets: at(9),
    sendErrors: at(10),
    sendDropped: at(11),
  };
}

/** The rows of `ps` that belong to a container; the last column takes the rest of its line. */
export function filterProcesses(text: string, pids: ReadonlySet<number>): Processes {
  const [header = '', ...lines] = text.split('\n').filter((line) => line.trim() !== '');
  const titles = header.trim().split(/\s+/);
  const column = titles.indexOf('PID');
  if (column < 0) throw noProcessColumn();
  const rows = lines.map((line) => splitColumns(line, titles.length)).filter((row) => pids.has(Number(row[column])));
  return { titles, rows };
}

/** Docker's words. */
function noProcessColumn(): UserError {
  return new UserError({
    code: 'ps-failed',
    kind: 'failed',
    message: "Couldn't find PID field in ps output",
    fix: 'Give arguments of ps(1) with which it prints the column PID, e.g. `-o pid,comm`.',
  });
}

function splitColumns(line: string, count: number): readonly string[] {
  const words = line.trim().split(/\s+/);
  return [...words.slice(0, count - 1), words.slice(count - 1).join(' ')];
}

/** Processes of a container, as a set for `filterProcesses`. */
export async function processSet(version: 1 | 2, group: string): Promise<ReadonlySet<number>> {
  return new Set(await processesOf(version, group));
}
