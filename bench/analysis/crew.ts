import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Experiment } from './experiments.ts';
import type { Decisions } from './run.ts';
import type { Part } from './worker.ts';

export const SEED = 20_260_721;
const RUNS_A_PART = 100;

/** Runs all experiments on all cores; the figures do not depend on how many there are. */
export async function runAll(experiments: readonly Experiment[]): Promise<ReadonlyMap<string, Decisions>> {
  const parts = experiments.flatMap(partsOf);
  const done: { readonly part: Part; readonly decisions: Decisions }[] = [];
  const queue = parts.values();
  await Promise.all(Array.from({ length: availableParallelism() }, () => work(queue, (each) => done.push(each))));
  return new Map(
    experiments.map(({ name }) => {
      const own = done.filter(({ part }) => part.experiment.name === name);
      return [name, joined(own.sort((a, b) => a.part.firstRun - b.part.firstRun).map(({ decisions }) => decisions))];
    }),
  );
}

function partsOf(experiment: Experiment): readonly Part[] {
  const parts: Part[] = [];
  for (let firstRun = 0; firstRun < experiment.runs; firstRun += RUNS_A_PART)
    parts.push({ experiment, seed: SEED, firstRun, runs: Math.min(RUNS_A_PART, experiment.runs - firstRun) });
  return parts;
}

async function work(
  queue: Iterator<Part>,
  onDone: (done: { part: Part; decisions: Decisions }) => void,
): Promise<void> {
  const worker = new Worker(new URL('worker.ts', import.meta.url));
  try {
    for (let next = queue.next(); next.done !== true; next = queue.next())
      onDone({ part: next.value, decisions: await answerOf(worker, next.value) });
  } finally {
    await worker.terminate();
  }
}

/** Rejects when the worker breaks. */
async function answerOf(worker: Worker, part: Part): Promise<Decisions> {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  worker.postMessage(part);
  const [decisions] = (await once(worker, 'message')) as [Decisions];
  return decisions;
}

function joined(parts: readonly Decisions[]): Decisions {
  const names = Object.keys(parts[0] ?? {});
  return Object.fromEntries(names.map((name) => [name, parts.flatMap((part) => part[name] ?? [])]));
}
