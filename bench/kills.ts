import { assertWhole, deployAndKillAt, settled, type Victim } from '../test/support/kill.ts';
import { type Load, startLoad } from '../test/support/load.ts';
import { freePort } from '../test/support/free-port.ts';
import { type Machine, openMachine } from '../test/support/machine.ts';
import type { Result, Series } from './result.ts';

const VICTIMS: readonly Victim[] = ['daemon', 'haproxy', 'conmon', 'instance'];
const SERVICES = ['db', 'web', 'worker'];
const PER_SECOND = 100;

export interface Kills {
  /** How often each victim is killed at each step. */
  readonly rounds: number;
  readonly victims: readonly Victim[];
  /** Whoever has not done by then ends where it stands. */
  readonly minutes: number;
  /** To whose samples these are added. */
  readonly before: Result | undefined;
}

/** @throws RangeError */
export function victimsOf(words = VICTIMS.join(',')): readonly Victim[] {
  const known: readonly string[] = VICTIMS;
  const unknown = words.split(',').find((word) => !known.includes(word));
  if (unknown !== undefined) throw new RangeError(`no victim "${unknown}": one of ${known.join(', ')}`);
  return words.split(',') as readonly Victim[];
}

/**
 * SIGKILL of each victim at the start of each step of a deployment, the victims side by side, each on a machine of its
 * own: mostly they wait. A mixed end state throws.
 */
export async function measureKills({ rounds, victims, minutes, before }: Kills): Promise<Result> {
  const failed = new AbortController();
  const extent = { rounds, deadlineMs: performance.now() + minutes * 60_000, signal: failed.signal };
  const runs = victims.map(async (victim) => {
    const name = `SIGKILL of ${victim}: requests lost by one kill`;
    const found = await killAll(victim, extent).catch((error: unknown) => {
      failed.abort();
      throw error;
    });
    const samples = [...(before?.series.find((each) => each.name === name)?.samples ?? []), ...found.lost];
    const own: Series = { name, unit: 'count', samples };
    return { own, note: noteOf(victim, { ...found, samples }) };
  });
  // Where one has failed the others end too, and each takes its machine down.
  await Promise.allSettled(runs);
  const measured = await Promise.all(runs);
  const series = measured.map(({ own }) => own);
  const notes = measured.map(({ note }) => note);
  const isNew = ({ name }: Series): boolean => series.some((each) => each.name === name);
  const kept = (before?.series ?? []).filter((each) => !isNew(each));
  const keptNotes = (before?.notes ?? []).filter((note) => !victims.some((victim) => note.startsWith(`${victim}:`)));
  return {
    name: 'kills',
    title: 'SIGKILL at each step of a deployment',
    series: [...kept, ...series],
    ratios: [],
    notes: [...keptNotes, ...notes],
  };
}

interface Found {
  readonly lost: readonly number[];
  readonly steps: number;
  readonly seconds: number;
}

function noteOf(
  victim: Victim,
  { steps, seconds, lost, samples }: Found & { readonly samples: readonly number[] },
): string {
  const total = samples.reduce((sum, each) => sum + each, 0);
  const each = (seconds / lost.length).toFixed(1);
  return `${victim}: ${samples.length} kills at ${steps} steps (${(samples.length / steps).toFixed(1)} times each), **no mixed end state**, ${total} requests lost at ${PER_SECOND} a second; ${each} s from a kill to the next.`;
}

async function killAll(
  victim: Victim,
  o: { readonly rounds: number; readonly deadlineMs: number; readonly signal: AbortSignal },
): Promise<Found> {
  await using machine = await openMachine();
  const port = await freePort();
  machine.write({ 'compose.yaml': project(port, 'v0') });
  await machine.must(['up']);
  await using load = await startLoad({
    url: `http://127.0.0.1:${port}/`,
    connections: 4,
    ratePerSecond: PER_SECOND,
    newConnectionShare: 0.5,
    maxDurationMs: 7_200_000,
  });
  const killing = new Killing({ machine, port, victim, load });
  const started = performance.now();
  const isOver = (): boolean => o.signal.aborted || performance.now() >= o.deadlineMs;
  let steps = 0;
  for (let round = 1; round <= o.rounds && !isOver(); round++) {
    let step = 0;
    while (!isOver() && (await killing.at(step, `${round}/${o.rounds}`))) step++;
    steps = Math.max(steps, step);
  }
  return { lost: killing.lost, steps, seconds: (performance.now() - started) / 1_000 };
}

class Killing {
  readonly lost: number[] = [];
  readonly #o: { readonly machine: Machine; readonly port: number; readonly victim: Victim; readonly load: Load };
  #version = 0;
  #before = 0;

  constructor(o: { readonly machine: Machine; readonly port: number; readonly victim: Victim; readonly load: Load }) {
    this.#o = o;
  }

  /** False: the rollout has no such step, it ended by itself. */
  async at(step: number, round: string): Promise<boolean> {
    const { machine, port, victim, load } = this.#o;
    const started = performance.now();
    machine.write({ 'compose.yaml': project(port, `v${++this.#version}`) });
    const title = await deployAndKillAt(machine, step, victim);
    if (title === undefined) return false;
    try {
      await settled(machine, SERVICES, port);
      await assertWhole(machine, { port, services: SERVICES, stateful: 'db', when: `${victim} at "${title}"` });
    } catch (error) {
      console.error(`bench: ${victim} killed at ${step} "${title}": ${String(error)}`);
      throw error;
    }
    const { lost } = await load.snapshot();
    this.lost.push(lost - this.#before);
    const seconds = ((performance.now() - started) / 1_000).toFixed(1);
    console.error(`bench: ${victim} ${round}: killed at ${step} "${title}": ${lost - this.#before} lost, ${seconds} s`);
    this.#before = lost;
    return true;
  }
}

/** Nothing is built, nobody waits long: as many kills as can be had in a minute. */
function project(port: number, version: string): string {
  const health = (url: string): string =>
    `{test: ["CMD", "wget", "-q", "-O", "/dev/null", "${url}"], interval: 2s, retries: 3, start_period: 10s, start_interval: 100ms}`;
  return `name: scene
x-bascule: {health_timeout: 20s, drain: 1s, keep: 1s}
services:
  web:
    image: busybox
    command: ["sh", "-c", "mkdir -p /tmp/w && echo version=${version} > /tmp/w/index.html && exec httpd -f -p 8000 -h /tmp/w"]
    ports: ["${port}:8000"]
    depends_on: {db: {condition: service_healthy}}
    stop_grace_period: 1s
    healthcheck: ${health('http://127.0.0.1:8000/')}
  worker:
    image: busybox
    command: ["sh", "-c", "trap 'exit 0' TERM; echo worker ${version}; while :; do sleep 0.2; done"]
    stop_grace_period: 1s
    depends_on: [db]
  db:
    image: busybox
    command: ["sh", "-c", "echo started >> /data/starts; exec httpd -f -p 9000 -h /data"]
    volumes: ["data:/data"]
    stop_grace_period: 1s
    healthcheck: ${health('http://127.0.0.1:9000/starts')}
volumes: {data: {}}
`;
}
