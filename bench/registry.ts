import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Context, timeProcess } from './context.ts';
import { pullMany, PULLS, pushSmall } from './registry-crowd.ts';
import { forgetPeak, memoryOf, outputOf, type Served, servePeer, serveOurs } from './registry-servers.ts';
import { ratioOf, type Result, type Series } from './result.ts';

/** `BENCH_FILES`: fewer, for a trial. */
const FILES = Number(process.env['BENCH_FILES'] ?? 20_000);
const FILE_BYTES = 20_000;
const MOST_RUNS = 5;
const CROWDS = 7;
const IMAGE = 'bench-tree:latest';

type Side = 'ours' | 'peer';
const SIDES: readonly Side[] = ['ours', 'peer'];
const SERVE: Readonly<Record<Side, () => Promise<Served>>> = { ours: serveOurs, peer: servePeer };

/** Pushing and pulling 400 MB in 20,000 files, 1,000 small pulls at once, and memory: beside dockerd and docker-registry. */
export async function measureRegistry(context: Context): Promise<Result> {
  const runs = Math.min(context.runs, MOST_RUNS);
  const base = mkdtempSync('/var/tmp/bascule-bench-registry-');
  const samples = createSamples();
  try {
    const o = { context, samples, tar: writeTree(base) };
    for (let run = 0; run < runs; run++)
      for (const client of run % 2 === 0 ? SIDES : SIDES.toReversed()) await measureClient(client, o);
    await measureCrowds(samples);
    await pushToOwn(runs, o);
    return resultOf(samples);
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

/** By what was measured. */
interface Samples {
  add(key: string, value: number): void;
  get(key: string): readonly number[];
}

function createSamples(): Samples {
  const lists = new Map<string, number[]>();
  return {
    add: (key, value) => void lists.set(key, [...(lists.get(key) ?? []), value]),
    get: (key) => lists.get(key) ?? [],
  };
}

interface Measuring {
  readonly context: Context;
  readonly samples: Samples;
  readonly tar: string;
}

/**
 * One client with its own registry and with the other's. A registry is empty when it is pushed to: nothing is there already, and
 * nothing can be mounted. The image is imported anew: nobody has pushed or pulled it before.
 */
async function measureClient(client: Side, o: Measuring): Promise<void> {
  const other = client === 'ours' ? 'peer' : 'ours';
  docker(o.context, client, 'import', o.tar, IMAGE);
  await transfer({ ...o, client, registry: client, push: 'fresh', pulls: true });
  await transfer({ ...o, client, registry: client, push: 'pulled', pulls: false });
  await transfer({ ...o, client, registry: other, push: 'pulled', pulls: true });
  docker(o.context, client, 'rmi', '-f', IMAGE);
}

interface Transfer extends Measuring {
  readonly client: Side;
  readonly registry: Side;
  /** What is pushed. */
  readonly push: 'fresh' | 'pulled';
  /** Whether it is pulled again, too. */
  readonly pulls: boolean;
}

async function transfer({ context, samples, client, registry, push, pulls }: Transfer): Promise<void> {
  await using served = await SERVE[registry]();
  const idleMb = memoryOf(served.pid, 'VmRSS');
  const image = `${served.host}/bench/tree:1`;
  docker(context, client, 'tag', IMAGE, image);
  samples.add(`push ${push} ${client} ${registry}`, docker(context, client, 'push', '-q', image));
  if (pulls) {
    docker(context, client, 'rmi', '-f', image, IMAGE);
    samples.add(`pull ${client} ${registry}`, docker(context, client, 'pull', '-q', image));
    docker(context, client, 'tag', image, IMAGE);
  }
  docker(context, client, 'rmi', image);
  if (client !== registry || !pulls) return;
  samples.add(`idle ${registry}`, idleMb);
  samples.add(`most ${registry}`, memoryOf(served.pid, 'VmHWM'));
}

/** Bursts at both registries in turn. */
async function measureCrowds(samples: Samples): Promise<void> {
  await using ours = await serveOurs();
  await using peer = await servePeer();
  const registries = { ours, peer };
  const images = { ours: await pushSmall(ours.host), peer: await pushSmall(peer.host) };
  for (const side of SIDES) forgetPeak(registries[side].pid);
  for (let crowd = 0; crowd < CROWDS; crowd++)
    for (const side of SIDES) samples.add(`crowd ${side}`, await pullMany(images[side]));
  for (const side of SIDES) samples.add(`crowd memory ${side}`, memoryOf(registries[side].pid, 'VmHWM'));
}

/** To the registry of the daemon itself, which shares the engine's store. At the end: it keeps the layers there. */
async function pushToOwn(runs: number, { context, samples, tar }: Measuring): Promise<void> {
  await context.machine.must(['daemon', 'config', 'set', 'registry.listen', '127.0.0.1:0']);
  await context.machine.must(['daemon', 'restart']);
  const status = outputOf(['registry', 'status', '--json'], { BASCULE_ROOT: context.machine.root });
  const { address } = JSON.parse(status) as { address: string };
  docker(context, 'ours', 'import', tar, IMAGE);
  for (let run = 0; run < runs; run++) {
    const image = `${address.replace('http://', '')}/bench/own:${run}-${process.pid}`;
    docker(context, 'ours', 'tag', IMAGE, image);
    samples.add('own', docker(context, 'ours', 'push', '-q', image));
    docker(context, 'ours', 'rmi', image);
  }
}

/** Milliseconds of the client's process. */
function docker(context: Context, side: Side, ...words: readonly string[]): number {
  const socket = side === 'ours' ? context.engineSocket : context.dockerd.socket;
  return timeProcess([context.docker, '-H', `unix://${socket}`, ...words]);
}

/** 20,000 files of 20 kB in 200 folders, as a tar. */
function writeTree(base: string): string {
  const tree = join(base, 'tree');
  const sentence = 'All happy families are alike; each unhappy family is unhappy in its own way. ';
  const text = Buffer.alloc(FILE_BYTES / 2, sentence);
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

const CLIENT: Readonly<Record<Side, string>> = { ours: 'Bascule', peer: 'dockerd' };
const REGISTRY: Readonly<Record<Side, string>> = { ours: '`bascule registry serve`', peer: 'docker-registry' };
const CROWD = `${PULLS} small pulls at once`;

/** What is compared: by the key of its samples, and what it is called. */
interface Compared {
  readonly what: string;
  readonly key: string;
  readonly registries: 'own' | 'other';
  /** The least ratio that we want. */
  readonly target?: number;
}

const COMPARED: readonly Compared[] = [
  { what: 'push', key: 'push fresh', registries: 'own', target: 2 },
  { what: 'pull', key: 'pull', registries: 'own', target: 2 },
  { what: 'push of an image that was pulled', key: 'push pulled', registries: 'own', target: 2 },
  { what: 'push to the other registry', key: 'push pulled', registries: 'other' },
  { what: 'pull from the other registry', key: 'pull', registries: 'other' },
];

interface Pair extends Pick<Compared, 'what' | 'target'> {
  readonly pair: { readonly ours: Series; readonly peer: Series };
}

function resultOf(samples: Samples): Result {
  const transfers = COMPARED.map(({ what, key, registries, ...rest }) => {
    const of = (client: Side): Series => {
      const registry = registries === 'own' ? client : client === 'ours' ? 'peer' : 'ours';
      const name = `${what}: ${CLIENT[client]}, ${REGISTRY[registry]}`;
      return { name, unit: 'ms', samples: samples.get(`${key} ${client} ${registry}`) };
    };
    return { what, pair: { ours: of('ours'), peer: of('peer') }, ...rest };
  });
  const memory = [
    { what: 'registry, idle', key: 'idle' },
    { what: 'registry, at most in a push and a pull', key: 'most' },
    { what: `registry, at most in ${CROWD}`, key: 'crowd memory' },
  ].map(({ what, key }) => ({ what, pair: pairOf(samples, { what, key, unit: 'MB' }) }));
  const crowd = { what: CROWD, pair: pairOf(samples, { what: CROWD, key: 'crowd', unit: 'ms' }) };
  const own: Series = { name: "push to the registry of Bascule's own daemon", unit: 'ms', samples: samples.get('own') };
  const toOwn: Pair = { what: own.name, pair: { ours: own, peer: transfers[0]!.pair.peer }, target: 2 };
  const all: readonly Pair[] = [...transfers, crowd, ...memory];
  return {
    name: 'registry',
    title: `Registry: ${(FILES * FILE_BYTES) / 1e6} MB in ${FILES} files`,
    series: [...all.flatMap(({ pair }) => [pair.ours, pair.peer]), own],
    ratios: [...all, toOwn].map((it) => ratioOf(it.what, it.pair, it.target)),
    notes: NOTES,
  };
}

function pairOf(samples: Samples, o: { readonly what: string; readonly key: string; readonly unit: 'ms' | 'MB' }) {
  const of = (side: Side): Series => {
    return { name: `${o.what}: ${REGISTRY[side]}`, unit: o.unit, samples: samples.get(`${o.key} ${side}`) };
  };
  return { ours: of('ours'), peer: of('peer') };
}

const NOTES = [
  'The same `docker` client drives both engines over HTTP on loopback; registries are empty when they are pushed to. All share the processors.',
  'Half of each file is random, half is one sentence again and again.',
  'An image that was not pulled was imported just before: no form of it is known. Each client pulls what it has pushed.',
  'A small pull is a connection and four requests, one after the other: manifest, configuration, two layers of 1 kB.',
];
