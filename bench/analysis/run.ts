import { JUDGES } from './judges.ts';
import { randomOf } from './random.ts';
import { looksOf, type Scenario } from './traffic.ts';

export interface Task {
  readonly scenario: Scenario;
  readonly judges: readonly string[];
  readonly seed: number;
  readonly firstRun: number;
  readonly runs: number;
}

/** For each judge and run: requests that the candidate had answered when it decided; null when it never did. */
export type Decisions = Readonly<Record<string, readonly (number | null)[]>>;

export function runTask(task: Task): Decisions {
  const decisions = Object.fromEntries(task.judges.map((name) => [name, [] as (number | null)[]]));
  for (let run = task.firstRun; run < task.firstRun + task.runs; run++) {
    const decided = runOnce(task, run);
    for (const name of task.judges) decisions[name]?.push(decided.get(name) ?? null);
  }
  return decisions;
}

/** All judges see the same traffic. */
function runOnce(task: Task, run: number): ReadonlyMap<string, number> {
  const waiting = new Map(task.judges.map((name) => [name, (JUDGES[name] ?? unknown(name))()]));
  const decided = new Map<string, number>();
  let toCandidate = 0;
  for (const look of looksOf(task.scenario, randomOf(task.seed, run))) {
    toCandidate += look.candidate.requests;
    for (const [name, judge] of waiting) {
      if (judge(look) === undefined) continue;
      decided.set(name, toCandidate);
      waiting.delete(name);
    }
    if (waiting.size === 0) break;
  }
  return decided;
}

function unknown(name: string): never {
  throw new Error(`no judge ${name}`);
}
