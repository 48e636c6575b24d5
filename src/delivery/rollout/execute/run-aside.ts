import { messageOf } from '../../../lib/errors.ts';
import type { WatchOptions } from '../face.ts';
import type { Parts } from '../parts.ts';
import type { Step, StepKind } from '../plan/step.ts';
import { takenAwayBy } from './asides.ts';

export interface AsideRun {
  readonly project: string;
  /** All of the record. */
  readonly steps: readonly Step[];
  /** Runs it, its plan being written down when this returns; gives the number of the rollout. */
  begin(watch: WatchOptions): { readonly rollout: number; readonly work: Promise<unknown> };
}

/** Steps for which a retirement holds its project: they change what others plan with, and take a moment only. */
const HELD: ReadonlySet<string> = new Set<StepKind>(['set-standing', 'remove-from-lane']);

/** Runs a retirement. Returns when it no longer needs to hold its project; the rest goes on beside. */
export async function runAside({ asides, log }: Parts, { project, steps, begin }: AsideRun): Promise<void> {
  const { promise: letGo, resolve } = Promise.withResolvers<void>();
  const { rollout, work } = begin({
    signal: NEVER,
    onProgress: (event) => {
      if (event.type === 'step-started' && !HELD.has(event.step.kind)) resolve();
    },
  });
  const ended = work.then(
    () => {},
    (error: unknown) => log.warn({ project, rollout, err: error }, `retiring has not ended: ${messageOf(error)}`),
  );
  asides.add(project, { kind: 'retire', rollout, ...takenAwayBy(steps), ended });
  await Promise.race([letGo, ended]);
}

const NEVER = new AbortController().signal;
