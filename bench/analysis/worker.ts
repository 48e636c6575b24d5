import { parentPort } from 'node:worker_threads';
import type { Experiment } from './experiments.ts';
import { randomOf } from './random.ts';
import { type Decisions, runTask } from './run.ts';
import { runSlow } from './slow.ts';

/** A part of an experiment's runs. */
export interface Part {
  readonly experiment: Experiment;
  readonly seed: number;
  readonly firstRun: number;
  readonly runs: number;
}

parentPort?.on('message', (part: Part) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin
  parentPort?.postMessage(runPart(part));
});

function runPart({ experiment, ...range }: Part): Decisions {
  if (experiment.kind === 'errors')
    return runTask({ scenario: experiment.scenario, judges: experiment.judges, ...range });
  const verdicts = Array.from({ length: range.runs }, (_, index) =>
    runSlow(experiment.scenario, randomOf(range.seed, range.firstRun + index), experiment.until),
  );
  return { [experiment.until]: verdicts.map((verdict) => verdict?.toCandidate ?? null) };
}
