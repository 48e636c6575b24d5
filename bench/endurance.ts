import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { scopeOf } from '../src/lib/scope.ts';
import { startLoad } from '../test/support/load.ts';
import { freePort } from '../test/support/free-port.ts';
import { type Machine } from '../test/support/machine.ts';
import { openEventStreamProbe, openWebSocketProbe, type Probe } from '../test/support/probes.ts';
import type { Context } from './context.ts';
import type { Result } from './result.ts';

const TIMES = 100;
const CONNECTIONS = 16;
/** Behind the load, before memory is looked at again: what is kept of single requests goes with their rollouts. */
const REST_MS = 30_000;

/** 100 deployments and 100 rollbacks under half of what the proxy can carry here, long connections open. */
export async function measureEndurance({ machine }: Context): Promise<Result> {
  const port = await freePort();
  const write = (version: string): void => machine.write({ 'compose.yaml': project(port, version) });
  write('v0');
  await machine.must(['up']);
  const capacity = await capacityOf(port);
  const processes = await processesOf(machine);
  const before = processes.map(sizeOf);
  const rate = Math.ceil(capacity / 2);
  await using load = await startLoad({
    url: `http://127.0.0.1:${port}/`,
    connections: CONNECTIONS,
    ratePerSecond: rate,
    newConnectionShare: 0.1,
    maxDurationMs: 3_600_000,
  });
  const probes: Probe[] = [];
  const deploys: number[] = [];
  for (let index = 1; index <= TIMES; index++) {
    if (index % 25 === 1) probes.push(...(await longConnections(port)));
    write(`v${index}`);
    deploys.push(await timed(() => machine.must(['deploy'])));
  }
  const { instances } = await machine.json<{ readonly instances: readonly object[] }>(['ps']);
  const rollbacks: number[] = [];
  for (let index = 0; index < TIMES; index++) {
    const release = index % 2 === 0 ? TIMES : TIMES + 1;
    rollbacks.push(await timed(() => machine.must(['rollback', String(release)])));
  }
  const report = await load.stop();
  const long = probes.map((probe) => probe.close());
  await delay(REST_MS);
  const after = (await processesOf(machine)).map(sizeOf);
  await machine.must(['down', '--volumes']);
  const broken = long.filter(({ isAlive, gaps }) => !isAlive || gaps > 0).length;
  return {
    name: 'endurance',
    title: `${TIMES} deployments and ${TIMES} rollbacks under load`,
    series: [
      { name: '`bascule deploy` under this load, command to prompt', unit: 'ms', samples: deploys },
      { name: '`bascule rollback` under this load, command to prompt', unit: 'ms', samples: rollbacks },
    ],
    ratios: [],
    notes: [
      `Requests: ${report.requests} at ${report.requestsPerSecond.toFixed(0)} a second (asked for: ${rate}; the proxy carries ${capacity.toFixed(0)} here), a tenth on new connections: **${report.lost} lost**. Latency p50 ${report.latencyMs.p50.toFixed(1)} ms, p99 ${report.latencyMs.p99.toFixed(1)} ms.`,
      `Instances at the end of the deployments, which follow each other without a pause: ${instances.length} (one serves, one is warm, the others leave: those with open connections stay for them).`,
      `Long connections: ${long.length} (WebSockets and event streams, opened at deployments 1, 26, 51 and 76), **${broken} broken**, ${long.reduce((sum, each) => sum + each.messages, 0)} messages.`,
      ...processes.map(
        ({ name, pid }, index) =>
          `${name}: pid ${pid} ${pid === after[index]?.pid ? 'the same' : '**another one**'}; descriptors ${before[index]?.descriptors} → ${after[index]?.descriptors}; resident ${before[index]?.megabytes} → ${after[index]?.megabytes} MB.`,
      ),
    ],
  };
}

/** One service that changes with every release. Its program is this machine's own Node, mounted read-only. */
function project(port: number, version: string): string {
  const repository = join(import.meta.dirname, '..');
  const folders = ['/lib', '/lib64', '/usr/lib'].map((folder) => `"${folder}:${folder}:ro"`);
  return `name: endurance
x-bascule: {keep: 1s, drain: 1h}
services:
  web:
    image: busybox
    command: ["/node/node", "/repository/bench/live-server.ts"]
    environment: {VERSION: "${version}"}
    volumes: [${folders.join(', ')}, "${dirname(process.execPath)}:/node:ro", "${repository}:/repository:ro"]
    ports: ["${port}:8000"]
    stop_grace_period: 1s
    healthcheck: {test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/"], interval: 5s, start_period: 20s, start_interval: 200ms}
`;
}

const run = promisify(execFile);

async function capacityOf(port: number): Promise<number> {
  const { stdout } = await run('wrk', ['-t1', `-c${CONNECTIONS}`, '-d5s', `http://127.0.0.1:${port}/`]);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
}

async function longConnections(port: number): Promise<readonly Probe[]> {
  return await Promise.all([
    openWebSocketProbe(`ws://127.0.0.1:${port}/`, 200),
    openEventStreamProbe(`http://127.0.0.1:${port}/events`),
  ]);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

interface Watched {
  readonly name: string;
  readonly pid: number;
}

async function processesOf(machine: Machine): Promise<readonly Watched[]> {
  const pidFile = join(scopeOf(machine.root).runDirectory, 'haproxy', 'haproxy.pid');
  return [
    { name: 'HAProxy', pid: Number(readFileSync(pidFile, 'utf8').trim()) },
    { name: 'The daemon', pid: await machine.daemonPid() },
  ];
}

function sizeOf({ pid }: Watched): { pid: number; descriptors: number; megabytes: number } {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return { pid, descriptors: readdirSync(`/proc/${pid}/fd`).length, megabytes: Math.round(Number(kilobytes) / 1_000) };
}
