import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { openTraffic } from '../src/delivery/traffic/index.ts';
import { silentLog } from '../src/lib/log.ts';
import { scopeOf } from '../src/lib/scope.ts';
import { freePort } from '../test/support/free-port.ts';
import { waitFor } from '../test/support/wait.ts';
import type { Result } from './result.ts';
import { summarise } from './statistics.ts';

const ROUNDS = 5;
const SECONDS = 4;
const CONNECTIONS = 32;

type Side = 'bascule' | 'bare' | 'nginx';

/** The same backend behind Bascule's proxy, a bare HAProxy and (where there is one) nginx; asked by wrk, in turn. */
export async function measureProxy(): Promise<Result> {
  await using undo = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'bascule-bench-proxy-'));
  undo.defer(() => rmSync(folder, { recursive: true, force: true }));
  const backend = await openProgram(undo, folder, { name: 'backend', port: await freePort(), backend: 0 });
  const bascule = await openBascule(undo, folder, backend);
  const ports: Record<Side, number> = {
    bascule: bascule.port,
    bare: await openProgram(undo, folder, { name: 'haproxy', port: await freePort(), backend }),
    nginx: await openProgram(undo, folder, { name: 'nginx', port: await freePort(), backend }),
  };
  const sides = Object.keys(ports) as Side[];
  const rates: Record<Side | 'observed', number[]> = { bascule: [], bare: [], nginx: [], observed: [] };
  const tails: Record<Side, number[]> = { bascule: [], bare: [], nginx: [] };
  for (const side of sides) await ask(ports[side], 1);
  for (let round = 0; round < ROUNDS; round++) {
    for (const side of sides) {
      const { perSecond, p99Ms } = await ask(ports[side], SECONDS);
      rates[side].push(perSecond);
      tails[side].push(p99Ms);
    }
    await bascule.observe(true);
    rates.observed.push((await ask(ports.bascule, SECONDS)).perSecond);
    await bascule.observe(false);
  }
  return resultOf(rates, tails);
}

function resultOf(rates: Record<Side | 'observed', number[]>, tails: Record<Side, number[]>): Result {
  const ratio = (a: readonly number[], b: readonly number[]): number => summarise(a).p50 / summarise(b).p50;
  const sides = Object.keys(tails) as Side[];
  return {
    name: 'proxy',
    title: 'Traffic: requests through Bascule, a bare HAProxy, and nginx',
    series: [
      ...sides.map((side) => ({
        name: `${TITLES[side]}: requests a second`,
        unit: 'count' as const,
        samples: rates[side],
      })),
      {
        name: 'Bascule while a rollout observes each request: requests a second',
        unit: 'count',
        samples: rates.observed,
      },
      ...sides.map((side) => ({ name: `${TITLES[side]}: p99`, unit: 'ms' as const, samples: tails[side] })),
    ],
    ratios: [
      { name: 'throughput: Bascule over bare HAProxy', value: ratio(rates.bascule, rates.bare), target: 0.95 },
      { name: 'throughput: Bascule over nginx', value: ratio(rates.bascule, rates.nginx) },
      { name: 'throughput while observed, over bare HAProxy', value: ratio(rates.observed, rates.bare) },
      { name: 'p99: bare HAProxy over Bascule', value: ratio(tails.bare, tails.bascule), target: 0.95 },
      { name: 'p99: nginx over Bascule', value: ratio(tails.nginx, tails.bascule) },
    ],
    notes: [
      `wrk with ${CONNECTIONS} kept connections, ${SECONDS} s a round, ${ROUNDS} rounds in turn; wrk, proxy and backend (nginx, 1 kB) share the machine.`,
      'The bare HAProxy has the same defaults, one frontend and one backend, and no rules. Bascule is asked on a published port, by way of nftables. Each program has a session of its own, as Linux shares processors out by sessions.',
    ],
  };
}

async function openBascule(
  undo: AsyncDisposableStack,
  folder: string,
  backend: number,
): Promise<{ readonly port: number; observe(isOn: boolean): Promise<void> }> {
  const root = join(folder, 'root');
  mkdirSync(root);
  const scope = scopeOf(root);
  const traffic = await openTraffic({ scope, directory: join(root, 'traffic'), log: silentLog });
  undo.defer(async () => {
    await traffic.stop();
    await traffic.close();
    rmSync(scope.runDirectory, { recursive: true, force: true });
  });
  const route = 'bench/web/80';
  const observe = async (isOn: boolean): Promise<void> => {
    await traffic.setRoute(route, { stable: 'lane-000', candidate: null, weight: 0, observed: isOn });
  };
  await traffic.ensure();
  await traffic.addInstance('lane-000', { name: 'one', address: '127.0.0.1', port: backend });
  await observe(false);
  const port = await freePort();
  await traffic.publishPort({ port, protocol: 'http', route });
  traffic.onRequests(() => {});
  return { port, observe };
}

const TITLES = { bascule: 'Bascule', bare: 'bare HAProxy', nginx: 'nginx' } as const;

interface Program {
  readonly name: 'haproxy' | 'nginx' | 'backend';
  readonly port: number;
  readonly backend: number;
}

async function openProgram(undo: AsyncDisposableStack, folder: string, program: Program): Promise<number> {
  const file = join(folder, `${program.name}.conf`);
  writeFileSync(file, CONFIGURATIONS[program.name](program, folder));
  const argv =
    program.name === 'haproxy' ? ['-db', '-f', file] : ['-c', file, '-p', folder, '-e', join(folder, 'error')];
  const child = spawn(program.name === 'haproxy' ? 'haproxy' : 'nginx', argv, {
    stdio: ['ignore', 'ignore', 'inherit'],
    // A session of its own, as Bascule's proxy has: Linux shares the processor out by sessions.
    detached: true,
  });
  undo.defer(() => ended(child));
  if (program.name === 'backend') {
    const answers = (): Promise<boolean> =>
      fetch(`http://127.0.0.1:${program.port}/`).then(
        ({ ok }) => ok,
        () => false,
      );
    await waitFor(answers, { timeoutMs: 5_000, what: 'the backend answers' });
  }
  return program.port;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  await exit;
}

const BODY = 'x'.repeat(1_024);

const CONFIGURATIONS: Readonly<Record<Program['name'], (program: Program, folder: string) => string>> = {
  haproxy: ({ port, backend }) => `global
  maxconn 8000
defaults
  mode http
  balance leastconn
  http-reuse safe
  option forwardfor
  option http-ignore-probes
  option clitcpka
  option srvtcpka
  retries 3
  option redispatch 1
  retry-on conn-failure empty-response
  timeout connect 4s
  timeout check 2s
  timeout queue 30s
  timeout http-request 30s
  timeout http-keep-alive 60s
  timeout client 10m
  timeout server 10m
frontend web
  bind 127.0.0.1:${port}
  default_backend app
backend app
  server one 127.0.0.1:${backend} check inter 2s
`,
  nginx: ({ port, backend }, folder) => `${NGINX_HEAD(folder, 'front')}
  upstream app { server 127.0.0.1:${backend}; keepalive 64; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass http://app; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; }
  }
}
`,
  backend: ({ port }, folder) => `${NGINX_HEAD(folder, 'back')}
  server { listen 127.0.0.1:${port}; location / { default_type text/plain; return 200 "${BODY}"; } }
}
`,
};

const NGINX_HEAD = (folder: string, name: string): string => `daemon off;
pid ${folder}/${name}.pid;
error_log ${folder}/${name}.log;
worker_processes auto;
events { worker_connections 4096; }
http {
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path ${folder}/${name}-body; proxy_temp_path ${folder}/${name}-proxy; fastcgi_temp_path ${folder}/${name}-fcgi;
  uwsgi_temp_path ${folder}/${name}-uwsgi; scgi_temp_path ${folder}/${name}-scgi;`;

const run = promisify(execFile);

async function ask(port: number, seconds: number): Promise<{ readonly perSecond: number; readonly p99Ms: number }> {
  const words = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '--latency', `http://127.0.0.1:${port}/`];
  const { stdout } = await run('wrk', words);
  const perSecond = Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
  const [, value = '', unit = ''] = /99%\s+([\d.]+)(us|ms|s)/.exec(stdout) ?? [];
  const failures = /Socket errors:.*|Non-2xx.*/.exec(stdout)?.[0];
  if (failures !== undefined || !(perSecond > 0)) throw new Error(`wrk on port ${port}: ${failures ?? stdout}`);
  return { perSecond, p99Ms: Number(value) * { us: 0.001, ms: 1, s: 1_000 }[unit as 'us' | 'ms' | 's'] };
}
