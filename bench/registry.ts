import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { join } from 'node:path';
import { DebianRegistry } from '../test/support/debian-registry.ts';
import { OCI_MANIFEST, pushImage } from '../test/support/registry.ts';
import { waitFor } from '../test/support/wait.ts';
import { type Context, timeProcess } from './context.ts';
import { ratioOf, type Result, type Series } from './result.ts';

const FILES = 20_000;
const FILE_BYTES = 20_000;
const PULLS = 1_000;
const BASCULE = join(import.meta.dirname, '..', 'bin', 'bascule');

/** A registry as a process: where it listens, and what it takes of memory. */
interface Served extends AsyncDisposable {
  readonly host: string;
  readonly pid: number;
}

interface Side {
  readonly socket: string;
  serve(): Promise<Served>;
}

/** Pushing and pulling 400 MB in 20,000 files, 1,000 small pulls at once, and memory: beside dockerd and docker-registry. */
export async function measureRegistry(context: Context): Promise<Result> {
  const runs = Math.min(context.runs, 5);
  const base = mkdtempSync('/var/tmp/bascule-bench-registry-');
  const sides: Readonly<Record<'ours' | 'peer', Side>> = {
    ours: { socket: context.engineSocket, serve: serveOurs },
    peer: { socket: context.dockerd.socket, serve: servePeer },
  };
  try {
    const tar = writeTree(base);
    for (const { socket } of Object.values(sides)) docker(context, socket, 'import', tar, 'bench-tree:latest');
    const ours = emptySamples();
    const peer = emptySamples();
    for (let run = 0; run <= runs; run++) {
      for (const [name, side] of Object.entries(sides)) {
        const samples = name === 'ours' ? ours : peer;
        await measureOnce(context, { side, samples, isCounted: run > 0, run });
      }
    }
    return resultOf({ ...ours, own: await pushToOwn(context, runs) }, peer);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

interface Samples {
  readonly push: number[];
  readonly pull: number[];
  readonly small: number[];
  readonly idleMb: number[];
  readonly peakMb: number[];
}

function emptySamples(): Samples {
  return { push: [], pull: [], small: [], idleMb: [], peakMb: [] };
}

/** With an empty registry on a port of its own: nobody has pushed there before, and nothing can be mounted. */
async function measureOnce(
  context: Context,
  o: { readonly side: Side; readonly samples: Samples; readonly isCounted: boolean; readonly run: number },
): Promise<void> {
  const { socket } = o.side;
  await using served = await o.side.serve();
  const idleMb = memoryOf(served.pid, 'VmRSS');
  const image = `${served.host}/bench/tree:${o.run}`;
  docker(context, socket, 'tag', 'bench-tree:latest', image);
  const push = docker(context, socket, 'push', '-q', image);
  docker(context, socket, 'rmi', '-f', image, 'bench-tree:latest');
  const pull = docker(context, socket, 'pull', '-q', image);
  docker(context, socket, 'tag', image, 'bench-tree:latest');
  docker(context, socket, 'rmi', image);
  const small = await pullMany(`http://${served.host}`);
  if (!o.isCounted) return;
  o.samples.push.push(push);
  o.samples.pull.push(pull);
  o.samples.small.push(small);
  o.samples.idleMb.push(idleMb);
  o.samples.peakMb.push(memoryOf(served.pid, 'VmHWM'));
}

/** To the registry of the daemon itself, which shares the engine's store. At the end: it keeps the layers there. */
async function pushToOwn(context: Context, runs: number): Promise<number[]> {
  await context.machine.must(['daemon', 'config', 'set', 'registry.listen', '127.0.0.1:0']);
  await context.machine.must(['daemon', 'restart']);
  const env = { BASCULE_ROOT: context.machine.root };
  const status = JSON.parse(outputOf(['registry', 'status', '--json'], env)) as { address: string };
  const host = status.address.replace('http://', '');
  return Array.from({ length: runs }, (_, run) => {
    const image = `${host}/bench/own:${run}-${process.pid}`;
    docker(context, context.engineSocket, 'tag', 'bench-tree:latest', image);
    const took = docker(context, context.engineSocket, 'push', '-q', image);
    docker(context, context.engineSocket, 'rmi', image);
    return took;
  });
}

function resultOf(ours: Samples & { readonly own: number[] }, peer: Samples): Result {
  const series = {
    pushOurs: ms('push 400 MB in 20,000 files: Bascule to `bascule registry serve`', ours.push),
    pushPeer: ms('push 400 MB in 20,000 files: dockerd to docker-registry', peer.push),
    own: ms("the same to the registry of Bascule's own daemon", ours.own),
    pullOurs: ms('pull 400 MB in 20,000 files: Bascule from `bascule registry serve`', ours.pull),
    pullPeer: ms('pull 400 MB in 20,000 files: dockerd from docker-registry', peer.pull),
    smallOurs: ms('1,000 small pulls at once: `bascule registry serve`', ours.small),
    smallPeer: ms('1,000 small pulls at once: docker-registry', peer.small),
    idleOurs: mb('registry, idle: Bascule', ours.idleMb),
    idlePeer: mb('registry, idle: docker-registry', peer.idleMb),
    peakOurs: mb('registry, at most: Bascule', ours.peakMb),
    peakPeer: mb('registry, at most: docker-registry', peer.peakMb),
  };
  return {
    name: 'registry',
    title: 'Registry',
    series: Object.values(series),
    ratios: [
      ratioOf('push', { ours: series.pushOurs, peer: series.pushPeer }, 2),
      ratioOf('push to the own daemon', { ours: series.own, peer: series.pushPeer }, 2),
      ratioOf('pull', { ours: series.pullOurs, peer: series.pullPeer }, 2),
      ratioOf('1,000 small pulls', { ours: series.smallOurs, peer: series.smallPeer }),
      ratioOf('memory at most', { ours: series.peakOurs, peer: series.peakPeer }),
    ],
    notes: [
      'The same `docker` client drives both engines; each run begins with an empty registry.',
      'A small pull is four requests: manifest, configuration, two layers of 1 kB. All are asked for from this one process.',
      'Half of each file is random, half is text.',
    ],
  };
}

async function serveOurs(): Promise<Served> {
  const root = mkdtempSync('/var/tmp/bascule-bench-root-');
  const child = spawn(
    BASCULE,
    ['registry', 'serve', '--root', root, '--listen', '127.0.0.1:0', '--log-level', 'info'],
    {
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  let text = '';
  child.stdout.on('data', (part: Buffer) => (text += text.length < 10_000 ? part.toString('utf8') : ''));
  const host = await waitFor(() => /"address":"http:\/\/([^"]+)"/.exec(text)?.[1], {
    timeoutMs: 20_000,
    what: 'it listens',
  });
  return {
    host,
    pid: child.pid ?? 0,
    async [Symbol.asyncDispose]() {
      await end(child);
      rmSync(root, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  await ended;
}

async function servePeer(): Promise<Served> {
  const registry = await new DebianRegistry().start();
  return { host: registry.host, pid: registry.pid, [Symbol.asyncDispose]: () => registry[Symbol.asyncDispose]() };
}

/** Milliseconds of the client's process. */
function docker(context: Context, socket: string, ...words: readonly string[]): number {
  return timeProcess([context.docker, '-H', `unix://${socket}`, ...words]);
}

function outputOf(words: readonly string[], env: Readonly<Record<string, string>>): string {
  return execFileSync(BASCULE, words, { env: { ...process.env, ...env }, encoding: 'utf8' });
}

/** 20,000 files of 20 kB in 200 folders, as a tar. */
function writeTree(base: string): string {
  const tree = join(base, 'tree');
  const text = Buffer.alloc(
    FILE_BYTES / 2,
    'All happy families are alike; each unhappy family is unhappy in its own way. ',
  );
  for (let folder = 0; folder < FILES / 100; folder++) {
    const path = join(tree, `d${folder}`);
    mkdirSync(path, { recursive: true });
    for (let file = 0; file < 100; file++)
      writeFileSync(join(path, `f${file}`), Buffer.concat([randomBytes(FILE_BYTES / 2), text]));
  }
  const tar = join(base, 'tree.tar');
  execFileSync('tar', ['--create', '--file', tar, '--directory', tree, '.']);
  rmSync(tree, { recursive: true });
  return tar;
}

/** Milliseconds until 1,000 clients, each with a connection of its own, have pulled a small image. */
async function pullMany(url: string): Promise<number> {
  const image = await pushImage(url, 'bench/small', { reference: 'v1' });
  const paths = [`manifests/v1`, `blobs/${image.config}`, `blobs/${image.layer}`, `blobs/${image.layer}`];
  const started = performance.now();
  await Promise.all(
    Array.from({ length: PULLS }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (const path of paths) await get(`${url}/v2/bench/small/${path}`, agent);
      agent.destroy();
    }),
  );
  return performance.now() - started;
}

function get(url: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const asking = request(url, { agent, headers: { accept: OCI_MANIFEST } }, (response) => {
      if (response.statusCode !== 200) reject(new Error(`${url}: ${response.statusCode}`));
      response.resume();
      response.once('end', resolve);
    });
    asking.once('error', reject);
    asking.end();
  });
}

/** Megabytes. */
function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const match = new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return Number(match?.[1]) / 1_000;
}

function ms(name: string, samples: readonly number[]): Series {
  return { name, unit: 'ms', samples };
}

function mb(name: string, samples: readonly number[]): Series {
  return { name, unit: 'MB', samples };
}
