import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { scopeOf } from '../src/lib/scope.ts';
import { freePort } from '../test/support/free-port.ts';
import { type Machine } from '../test/support/machine.ts';
import { openEventStreamProbe, openWebSocketProbe, type Probe } from '../test/support/probes.ts';
import type { Context } from './context.ts';
import { capacityOf, startPacedLoad } from './paced-load.ts';
import type { Result } from './result.ts';

const TIMES = 100;
const CONNECTIONS = 32;
const CAPACITY_SECONDS = 10;
/** From the beginning of one to that of the next, at least: the two cores carry the load too. */
const DEPLOY_EVERY_MS = 3_000;
const ROLLBACK_EVERY_MS = 1_500;
/** Of what the proxy carries; half is to be held, however busy the machine is with the deployments. */
const SHARE = 0.55;
/** Behind a rollout, its requests are still looked at one by one for 30 seconds: so long the proxy carries less. */
const REST_MS = 35_000;

/** 100 deployments and 100 rollbacks under more than half of what the proxy can carry here, long connections open. */
export async function measureEndurance({ machine }: Context): Promise<Result> {
  const port = await freePort();
  const write = (version: string): void =>
    machine.write({ 'compose.yaml': project(port, version), 'nginx.conf': application(version) });
  write('v0');
  await machine.must(['up']);
  await delay(REST_MS);
  const asking = { url: `http://127.0.0.1:${port}/`, connections: CONNECTIONS, folder: machine.folder };
  const capacity = await capacityOf(asking, CAPACITY_SECONDS);
  const processes = await processesOf(machine);
  const before = processes.map(sizeOf);
  const rate = Math.ceil(capacity.perSecond * SHARE);
  const load = startPacedLoad({ ...asking, ratePerSecond: rate });
  const probes: Probe[] = [];
  const deploys: number[] = [];
  for (let index = 1; index <= TIMES; index++) {
    if (index % 25 === 1) probes.push(...(await longConnections(port)));
    write(`v${index}`);
    deploys.push(await timed(DEPLOY_EVERY_MS, () => machine.must(['deploy'])));
  }
  const { instances } = await machine.json<{ readonly instances: readonly object[] }>(['ps']);
  const rollbacks: number[] = [];
  for (let index = 0; index < TIMES; index++) {
    const release = index % 2 === 0 ? TIMES : TIMES + 1;
    rollbacks.push(await timed(ROLLBACK_EVERY_MS, () => machine.must(['rollback', String(release)])));
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
    ratios: [
      {
        name: 'requests a second all the while, over half of what the proxy carries alone',
        value: (2 * report.perSecond) / capacity.perSecond,
        target: 1,
      },
    ],
    notes: [
      `Before, nothing else going on, as fast as they are answered: ${capacity.perSecond.toFixed(0)} a second (${capacity.lost} lost). wrk, proxy and application share the machine; the same wrk, ${CONNECTIONS} connections, a tenth of the requests on new ones, and the same application asked all the while.`,
      `All the while: ${report.requests} requests at ${report.perSecond.toFixed(0)} a second (asked for: ${rate}): **${report.lost} lost** (${report.losses}). Latency p50 ${report.p50Ms.toFixed(1)} ms, p99 ${report.p99Ms.toFixed(1)} ms. Nothing is tried again.`,
      `Deployments begin every ${DEPLOY_EVERY_MS / 1_000} s, rollbacks every ${ROLLBACK_EVERY_MS / 1_000} s, or when the one before has ended. Instances at the end of the deployments: ${instances.length} (one serves, one is warm, the others leave: those with open connections stay for them).`,
      `Long connections: ${long.length} (WebSockets and event streams, opened at deployments 1, 26, 51 and 76), **${broken} broken**, ${long.reduce((sum, each) => sum + each.messages, 0)} messages.`,
      ...processes.map(
        ({ name, pid }, index) =>
          `${name}: pid ${pid} ${pid === after[index]?.pid ? 'the same' : '**another one**'}; descriptors ${before[index]?.descriptors} → ${after[index]?.descriptors}; resident ${before[index]?.megabytes} → ${after[index]?.megabytes} MB.`,
      ),
    ],
  };
}

/**
 * One service that changes with every release: nginx says the version; WebSockets and event streams go through it to
 * a program beside it. Both are this machine's own, mounted read-only.
 */
function project(port: number, version: string): string {
  const repository = join(import.meta.dirname, '..');
  const folders = ['/lib', '/lib64', '/usr/lib', '/usr/sbin'].map((folder) => `"${folder}:${folder}:ro"`);
  return `name: endurance
x-bascule: {keep: 1s, drain: 1h}
services:
  web:
    image: busybox
    command: ["sh", "-c", "/node/node /repository/bench/live-server.ts & exec /usr/sbin/nginx -c /nginx.conf -e stderr"]
    environment: {VERSION: "${version}"}
    configs: [{source: nginx, target: /nginx.conf}]
    volumes: [${folders.join(', ')}, "${dirname(process.execPath)}:/node:ro", "${repository}:/repository:ro"]
    ports: ["${port}:8000"]
    stop_grace_period: 1s
    healthcheck: {test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/live"], interval: 5s, start_period: 20s, start_interval: 200ms}
configs: {nginx: {file: nginx.conf}}
`;
}

function application(version: string): string {
  return `daemon off;
user root;
pid /tmp/nginx.pid;
worker_processes 1;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fcgi;
  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  server {
    listen 8000;
    location = / { default_type text/plain; return 200 "${version}"; }
    location / {
      proxy_pass http://127.0.0.1:8001;
      proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $http_connection;
      proxy_buffering off; proxy_read_timeout 1h;
    }
  }
}
`;
}

async function longConnections(port: number): Promise<readonly Probe[]> {
  return await Promise.all([
    openWebSocketProbe(`ws://127.0.0.1:${port}/live`, 200),
    openEventStreamProbe(`http://127.0.0.1:${port}/events`),
  ]);
}

/** Milliseconds of the work; what is left of its time is waited for. */
async function timed(everyMs: number, work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  const tookMs = performance.now() - started;
  await delay(Math.max(0, everyMs - tookMs));
  return tookMs;
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
