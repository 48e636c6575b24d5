import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '../test/support/free-port.ts';
import { waitFor } from '../test/support/wait.ts';
import type { Context } from './context.ts';
import type { Result, Series } from './result.ts';
import { ratioOf } from './result.ts';
import { startWatching, type Watching } from './watch-versions.ts';

const DEPLOYS = 8;
const SWARM_DEPLOYS = 3;
const REPLICAS = 3;

interface Measured {
  /** From the command to the last answer of the old version. */
  readonly tippedMs: number[];
  /** From the command to its prompt. */
  readonly promptMs: number[];
  lost: number;
  asked: number;
}

/** A small change, the image cached: by Bascule, by Compose and by Swarm, asked all the while. */
export async function measureDeploy(context: Context): Promise<Result> {
  const bascule = await byBascule(context);
  const compose = await byCompose(context);
  const swarm = await bySwarm(context);
  const series = (name: string, samples: readonly number[]): Series => ({ name, unit: 'ms', samples });
  const ours = series('`bascule deploy`: command to 100 % on the new release', bascule.tippedMs);
  const theirs = series('`docker compose up -d`: command to the first answer of the new version', compose.tippedMs);
  const updated = series('`docker service update`: command to prompt', swarm);
  return {
    name: 'deploy',
    title: `Deploying a small change, ${REPLICAS} replicas, image cached`,
    series: [ours, series('`bascule deploy`: command to prompt', bascule.promptMs), theirs, updated],
    ratios: [
      {
        name: '2 s over `bascule deploy` to 100 %',
        value: ratioOf('', { ours, peer: series('', [2_000]) }).value,
        target: 1,
      },
      ratioOf('`docker compose up -d` over `bascule deploy`', { ours, peer: theirs }),
      ratioOf('`docker service update` over `bascule deploy`', { ours, peer: updated }),
    ],
    notes: [
      'Health: Bascule asks new instances every 200 ms (`start_interval`), and waits for all of them; the others wait for none.',
      `Bascule: ${bascule.asked} requests meanwhile, **${bascule.lost} lost**.`,
      `Compose: ${compose.asked} requests meanwhile, **${compose.lost} lost**. It has one instance: Compose publishes a port for one container.`,
      'Swarm: time only. Its ingress needs IPVS, which this kernel has not, so nobody could count its requests; the service has no published port.',
    ],
  };
}

interface Sketch {
  readonly port: number;
  readonly version: string;
  readonly replicas: number;
  /** How often it is asked whether it is well. */
  readonly rhythm: string;
}

/** Often while it starts, seldom later: the instances of the release before stay, and are asked too. */
const OURS = 'interval: 5s, start_period: 20s, start_interval: 200ms';
/** Engines before version 25 know no other; nobody waits for it here. */
const THEIRS = 'interval: 5s';

function compose({ port, version, replicas, rhythm }: Sketch): string {
  return `name: bench
services:
  web:
    image: busybox
    command: ["sh", "-c", "mkdir -p /tmp/w && echo version=$$VERSION > /tmp/w/index.html && exec httpd -f -p 8000 -h /tmp/w"]
    environment: {VERSION: "${version}"}
    ports: ["${port}:8000"]
    stop_grace_period: 1s
    deploy: {replicas: ${replicas}}
    healthcheck: {test: ["CMD", "wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8000/"], ${rhythm}, retries: 20}
`;
}

async function byBascule({ machine }: Context): Promise<Measured> {
  const port = await freePort();
  const write = (version: string): void =>
    machine.write({ 'compose.yaml': compose({ port, version, replicas: REPLICAS, rhythm: OURS }) });
  write('v0');
  await machine.must(['up']);
  const measured = await changes(port, DEPLOYS, async (version) => {
    write(version);
    await machine.must(['deploy']);
  });
  await machine.must(['down', '--volumes']);
  return measured;
}

const run = promisify(execFile);

async function byCompose({ dockerd, docker }: Context): Promise<Measured> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'bascule-bench-compose-'));
  mkdirSync(folder, { recursive: true });
  const ask = async (...words: string[]): Promise<unknown> =>
    await run(docker, ['--host', `unix://${dockerd.socket}`, 'compose', ...words], { cwd: folder });
  const write = (version: string): void =>
    writeFileSync(join(folder, 'compose.yaml'), compose({ port, version, replicas: 1, rhythm: THEIRS }));
  write('v0');
  await ask('up', '-d', '--wait');
  const measured = await changes(port, DEPLOYS, async (version) => {
    write(version);
    await ask('up', '-d');
  });
  await ask('down', '--volumes');
  rmSync(folder, { recursive: true, force: true });
  return measured;
}

async function changes(port: number, count: number, deploy: (version: string) => Promise<void>): Promise<Measured> {
  const measured: Measured = { tippedMs: [], promptMs: [], lost: 0, asked: 0 };
  for (let index = 1; index <= count; index++) {
    const version = `v${index}`;
    await using watching: Watching = await startWatching(`http://127.0.0.1:${port}/`, `v${index - 1}`);
    const startedMs = performance.now();
    await deploy(version);
    measured.promptMs.push(performance.now() - startedMs);
    await waitFor(() => watching.lastOf(version) !== undefined, { timeoutMs: 60_000, what: `${version} answers` });
    const report = await watching.stop();
    measured.tippedMs.push((report.tippedAtMs ?? Number.NaN) - startedMs);
    measured.lost += report.lost;
    measured.asked += report.asked;
  }
  return measured;
}

/** Milliseconds of each update, until Swarm says that it has converged. */
async function bySwarm({ dockerd, docker }: Context): Promise<readonly number[]> {
  const ask = async (...words: string[]): Promise<unknown> =>
    await run(docker, ['--host', `unix://${dockerd.socket}`, ...words]);
  await ask('swarm', 'init', '--advertise-addr', '127.0.0.1');
  const serve = 'mkdir -p /tmp/w && echo $VERSION > /tmp/w/index.html && exec httpd -f -p 8000 -h /tmp/w';
  const create = ['--name', 'bench', '--replicas', String(REPLICAS), '--endpoint-mode', 'dnsrr', '--no-resolve-image'];
  await ask(
    'service',
    'create',
    ...create,
    '--env',
    'VERSION=v0',
    '--stop-grace-period',
    '1s',
    'busybox',
    'sh',
    '-c',
    serve,
  );
  const samples: number[] = [];
  for (let index = 1; index <= SWARM_DEPLOYS; index++) {
    const startedMs = performance.now();
    await ask('service', 'update', '--no-resolve-image', '--env-add', `VERSION=v${index}`, 'bench');
    samples.push(performance.now() - startedMs);
  }
  await ask('service', 'rm', 'bench');
  await ask('swarm', 'leave', '--force');
  return samples;
}
