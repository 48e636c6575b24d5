import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../../lib/errors.ts';
import type { Fleet, ObservedInstance } from '../../fleet/index.ts';
import type { GuardState } from './guard-state.ts';
import type { Baseline } from './progress.ts';
import type { ProgressBoard } from './progress-board.ts';
import type { RolloutKey } from './samples.ts';

export type WatchedFleet = Pick<Fleet, 'observe' | 'events'>;

export interface InstanceWatch {
  readonly rollout: RolloutKey;
  readonly guarded: readonly string[];
  readonly fleet: WatchedFleet;
  readonly board: ProgressBoard;
  readonly signal: AbortSignal;
  report(state: GuardState): void;
}

export const INSTANCES = 'instances';
const LOOK_MS = 1_000;

/** Looks at the instances each second, and at once when the engine says that something happened to one. */
export async function watchInstances(o: InstanceWatch): Promise<void> {
  if (o.guarded.length === 0) return;
  let wake = (): void => {};
  const following = followEvents(o, () => wake());
  while (!o.signal.aborted) {
    const { promise: happened, resolve } = Promise.withResolvers<void>();
    wake = resolve;
    await look(o);
    await Promise.race([happened, delay(LOOK_MS, undefined, { signal: o.signal }).catch(() => {})]);
  }
  await following;
}

async function followEvents({ fleet, guarded, signal }: InstanceWatch, onEvent: () => void): Promise<void> {
  const names = new Set(guarded);
  try {
    for await (const { instance } of fleet.events(signal)) if (names.has(instance)) onEvent();
  } catch {
    // Without events it is noticed at the next look.
  }
}

async function look(o: InstanceWatch): Promise<void> {
  try {
    const found = await findIll(o);
    if (o.signal.aborted) return;
    o.report(found ?? { name: INSTANCES, state: 'ok', detail: `${o.guarded.length} run as they should`, bad: 0 });
  } catch (error) {
    if (!o.signal.aborted)
      o.report({
        name: INSTANCES,
        state: 'unknown',
        detail: `the engine does not answer: ${messageOf(error)}`,
        bad: 0,
      });
  }
}

async function findIll({ fleet, board, rollout, guarded }: InstanceWatch): Promise<GuardState | undefined> {
  const { instances } = await fleet.observe(rollout.project);
  const baselines = { ...board.of(rollout).baselines };
  const seen = guarded.map((name) => [name, instances.find((each) => each.name === name)] as const);
  const fresh = seen.flatMap(([name, each]) =>
    each !== undefined && baselines[name] === undefined ? [[name, baselineOf(each)] as const] : [],
  );
  if (fresh.length > 0) board.update(rollout, { baselines: { ...baselines, ...Object.fromEntries(fresh) } });
  for (const [instance, each] of seen) {
    const detail = illnessOf(each, baselines[instance]);
    if (detail !== undefined)
      return { name: INSTANCES, state: 'failed', detail: `${instance} ${detail}`, bad: 1, instance };
  }
  return undefined;
}

export function baselineOf({ restarts, startedAt }: ObservedInstance): Baseline {
  return { restarts, ...(startedAt === undefined ? {} : { startedMs: startedAt.getTime() }) };
}

/** What is wrong with an instance that should run on, in a few words. */
export function illnessOf(seen: ObservedInstance | undefined, baseline: Baseline | undefined): string | undefined {
  if (seen === undefined) return 'is gone';
  if (seen.oomKilled) return 'ran out of memory and was killed';
  if (seen.state !== 'running') return `${seen.state === 'exited' ? 'exited' : `is ${seen.state}`}${sayCode(seen)}`;
  if (seen.restarts > (baseline?.restarts ?? seen.restarts)) return 'crashed and was started again';
  const startedMs = seen.startedAt?.getTime();
  if (baseline?.startedMs !== undefined && startedMs !== undefined && startedMs !== baseline.startedMs)
    return 'was started again';
  return seen.health === 'unhealthy' ? `is unhealthy${sayOutput(seen)}` : undefined;
}

function sayCode({ exitCode }: ObservedInstance): string {
  return exitCode === undefined ? '' : ` with exit code ${exitCode}`;
}

function sayOutput({ healthOutput }: ObservedInstance): string {
  const last = healthOutput?.trim().split('\n').at(-1) ?? '';
  return last === '' ? '' : `: ${last.slice(0, 200)}`;
}
