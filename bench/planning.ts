import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ProjectSettings, StrategyName } from '../src/delivery/compose/index.ts';
import { choosePorts } from '../src/delivery/rollout/plan/choose-ports.ts';
import type { DeployInput } from '../src/delivery/rollout/plan/plan.ts';
import { planDeploy } from '../src/delivery/rollout/plan/strategy.ts';
import { declaredPorts } from '../src/delivery/rollout/commands/prepare.ts';
import { PlannedMachine, type Sketch, type SketchedService } from '../test/support/planned-machine.ts';
import type { Result, Series } from './result.ts';

const SERVICES = 1_000;
const REPLICAS = 11;
const RUNS = 30;
/** Plans are made so often while memory is watched. */
const MEMORY_RUNS = 60;

/** Groups of ten, in which each service needs up to three others; all are published, one of ten writes to a volume. */
function sketchOf(image: (index: number) => number, replicas = REPLICAS): Sketch {
  const names = Array.from({ length: SERVICES }, (_, index) => `s${String(index).padStart(4, '0')}`);
  return Object.fromEntries(
    names.map((name, index): [string, SketchedService] => {
      const stateful = index % 10 === 9;
      const needs = names.slice(index + 1, Math.min(index + 4, index - (index % 10) + 10));
      return [
        name,
        { image: image(index), replicas: stateful ? 1 : replicas, published: true, stateful, tcp: stateful, needs },
      ];
    }),
  );
}

interface Case {
  readonly name: string;
  readonly input: DeployInput;
}

/** How long it takes to decide a rollout of 1,000 services, with the observation at hand; and what memory it leaves. */
export async function measurePlanning(): Promise<Result> {
  const machine = new PlannedMachine();
  machine.laneCount = 4 * SERVICES;
  deploy(
    machine,
    sketchOf(() => 1),
  );
  const cases = casesOf(machine);
  const series = cases.map(({ name, input }): Series => {
    planDeploy(input); // once, not counted
    return { name, unit: 'ms', samples: Array.from({ length: RUNS }, () => timed(() => planDeploy(input))) };
  });
  const instances = machine.observed().fleet.instances.length;
  return {
    name: 'planning',
    title: `Planning for ${SERVICES} services with ${instances} instances`,
    series: [...series, await portSeries(machine), memorySeries(cases)],
    ratios: [],
    notes: [
      'Simulated observation; from the observation to the finished plan, every step of it with its cause.',
      `Steps: ${cases.map(({ name, input }) => `${name} ${stepsOf(input)}`).join(', ')}.`,
      'Memory: the heap behind a collection, after every sixth of 60 plans of each kind. Target: median under 100 ms, memory flat.',
    ],
  };
}

function deploy(machine: PlannedMachine, sketch: Sketch): void {
  const target = machine.releaseOf(sketch);
  machine.releases.set(target.number, target);
  for (const each of machine.planDeploy(target).waves.flat()) machine.act(each);
}

function casesOf(machine: PlannedMachine): readonly Case[] {
  const one = sketchOf((index) => (index === 0 ? 2 : 1));
  const all = sketchOf((index) => (index % 10 === 9 ? 1 : 2));
  const of = (name: string, sketch: Sketch, o: { strategy?: StrategyName } & Partial<ProjectSettings> = {}): Case => {
    const { strategy, ...settings } = o;
    const target = machine.releaseOf(sketch, settings);
    return { name, input: machine.inputFor(target, strategy === undefined ? {} : { strategy }) };
  };
  return [
    of(
      'nothing changed',
      sketchOf(() => 1),
    ),
    of('one image changed', one),
    of(
      'every service one instance more',
      sketchOf(() => 1, REPLICAS + 1),
    ),
    of('all stateless images changed, blue-green', all),
    of('all stateless images changed, canary', all, { strategy: 'canary' }),
    of('all stateless images changed, rolling', all, { strategy: 'rolling' }),
  ];
}

function stepsOf(input: DeployInput): number {
  const plan = planDeploy(input);
  return plan.unchanged ? 0 : plan.waves.flat().length;
}

function timed(work: () => unknown): number {
  const started = performance.now();
  work();
  return performance.now() - started;
}

/** Which host ports are used, apart from the question to the kernel who holds a new one. */
async function portSeries(machine: PlannedMachine): Promise<Series> {
  const { model } = machine.releaseOf(sketchOf(() => 1));
  const { publishedPorts } = machine.observed().traffic;
  const traffic = { portHolder: () => Promise.resolve(undefined) };
  const samples: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const started = performance.now();
    await choosePorts('p', declaredPorts(model), { traffic, state: { publishedPorts } });
    samples.push(performance.now() - started);
  }
  return { name: 'the choice of host ports', unit: 'ms', samples };
}

function memorySeries(cases: readonly Case[]): Series {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const samples: number[] = [];
  for (let run = 0; run < MEMORY_RUNS; run++) {
    for (const { input } of cases) planDeploy(input);
    if (run % (MEMORY_RUNS / 10) !== 0) continue;
    collect();
    samples.push(process.memoryUsage().heapUsed / 2 ** 20);
  }
  return { name: 'heap while plans are made', unit: 'MB', samples };
}
