import { UserError } from '../../../lib/errors.ts';
import type { StrategyName } from '../../compose/index.ts';
import type { Release } from '../../release/index.ts';
import type { PlanView } from '../views.ts';
import type { WatchOptions } from '../face.ts';
import type { Running } from '../execute/locks.ts';
import type { RolloutKind, RolloutOutcome } from '../outcome.ts';
import type { Parts } from '../parts.ts';
import { requireJobsDone } from '../jobs/jobs-done.ts';
import { describe, type Plan } from '../plan/plan.ts';
import { kindOf, planRelease } from '../plan/planning.ts';
import { settleOpen } from '../execute/resume.ts';
import { portsOf, runPlan } from '../execute/run-rollout.ts';

/** A new release that somebody wants to serve. */
export interface Intention {
  readonly project: string;
  readonly author: string;
  /** The release as it will be stored; nothing of it exists yet but images and the contents of its files. */
  freeze(watch: WatchOptions): Promise<Release>;
  /** Start every stateless set anew. */
  readonly force: boolean;
  /** Instead of the declared one. */
  readonly strategy?: StrategyName;
  /** It came without files: certificates that are installed stay. */
  readonly keepCertificates?: boolean;
}

/** A frozen release, a plan, and the rollout. */
export async function rollOut(parts: Parts, intention: Intention, o: WatchOptions): Promise<RolloutOutcome> {
  const { project, author, force, strategy, keepCertificates = false } = intention;
  const kind = kindOf(parts.journal.standing(project));
  return await parts.locks.hold(project, holder(parts, kind, author), async (running) => {
    const watch = orAborted(o, running);
    await parts.ensureTraffic();
    await settleOpen(parts, project, running);
    const target = await unlessCancelled(parts, watch, (signal) => intention.freeze({ ...watch, signal }));
    await unlessCancelled(parts, watch, (signal) => parts.asides.cleared(project, {}, signal));
    const wish = { kind, target, force, keepCertificates, ...(strategy === undefined ? {} : { strategy }) };
    const plan = (await unlessCancelled(parts, watch, () => planRelease(parts, wish)))();
    if (plan.unchanged) return unchanged(parts, { kind, project, watch, started: running.startedAt });
    parts.releases.create(target, target.createdAt);
    const outcome = await runPlan(parts, { plan, running, watch });
    requireJobsDone(parts, outcome);
    return outcome;
  });
}

/** What `rollOut` would do now with a release that looks like this. */
export async function planIntention(
  parts: Parts,
  o: Pick<Intention, 'force' | 'strategy' | 'keepCertificates'> & { readonly target: Release },
): Promise<PlanView> {
  const kind = kindOf(parts.journal.standing(o.target.project));
  return planView((await planRelease(parts, { kind, ...o }))());
}

export function holder(
  { now }: Parts,
  kind: RolloutKind,
  author: string,
): Pick<Running, 'kind' | 'author' | 'startedAt'> {
  return { kind, author, startedAt: now() };
}

/** Who waits may cancel, and so may whoever steers the rollout. */
export function orAborted(o: WatchOptions, { cancel }: Running): WatchOptions {
  return { onProgress: o.onProgress, signal: AbortSignal.any([o.signal, cancel.signal]) };
}

/** Before the plan is written down a cancelled command has nothing to undo; the daemon may end too. */
export async function unlessCancelled<T>(
  { stopping }: Parts,
  watch: WatchOptions,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const signal = AbortSignal.any([watch.signal, stopping]);
  try {
    signal.throwIfAborted();
    return await work(signal);
  } catch (cause) {
    if (!signal.aborted) throw cause;
    throw new UserError({
      code: 'rollout-cancelled',
      kind: 'cancelled',
      message: `cancelled before anything was changed${watch.signal.aborted ? '' : ': the daemon ends'}`,
      fix: 'Run the command again when you like.',
      cause,
    });
  }
}

interface Unchanged {
  readonly kind: RolloutKind;
  readonly project: string;
  readonly watch: WatchOptions;
  readonly started: Date;
}

export function unchanged(parts: Parts, { kind, project, watch, started }: Unchanged): RolloutOutcome {
  const standing = parts.journal.standing(project);
  const outcome: RolloutOutcome = {
    project,
    kind,
    result: 'unchanged',
    ...(standing.current === undefined ? {} : { release: standing.current.release }),
    durationMs: parts.now().getTime() - started.getTime(),
    ports: portsOf(standing),
  };
  watch.onProgress({ type: 'finished', outcome });
  return outcome;
}

export function planView(plan: Plan): PlanView {
  const { project, kind, from, to, strategy, unchanged: isUnchanged, waves, warnings } = plan;
  return {
    project,
    kind,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(strategy === undefined || isUnchanged ? {} : { strategy }),
    unchanged: isUnchanged,
    steps: isUnchanged ? [] : describe(waves),
    warnings: isUnchanged ? [] : warnings,
  };
}
