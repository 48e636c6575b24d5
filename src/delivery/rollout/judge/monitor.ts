import { UserError } from '../../../lib/errors.ts';
import { sayPaused } from './stage-decision.ts';
import { baselineOf, illnessOf } from './guard-instances.ts';
import type { StepContext } from '../execute/world.ts';
import type { RolloutKey } from './samples.ts';
import type { StepOf } from '../plan/step.ts';

const LOOK_MS = 500;

/** Waits; time that passes while the daemon is away counts. A pause holds it, a promotion ends it. */
export async function waitOut(step: StepOf<'delay'>, context: StepContext): Promise<void> {
  await waitWhile(step, context, () => Promise.resolve());
}

/**
 * Watches new instances for some time. What is done when too many fail is declared.
 * @throws UserError `instance-failed` when the rollout is to be taken back
 */
export async function monitor(step: StepOf<'monitor'>, context: StepContext): Promise<void> {
  await waitWhile(step, context, () => look(step, context));
}

interface Timed {
  readonly durationMs: number;
}

async function waitWhile(step: Timed, context: StepContext, lookAround: () => Promise<void>): Promise<void> {
  const { world, project, seq, signal } = context;
  const key = keyOf(context);
  const startedMs = startOf(context);
  for (;;) {
    signal.throwIfAborted();
    await lookAround();
    const { paused, promoted } = world.controls.steering(key);
    const leftMs = startedMs + step.durationMs - world.now().getTime();
    const isPaused = paused !== undefined && promoted === undefined;
    world.board.update(key, {
      activity: isPaused ? { state: 'paused', note: sayPaused(paused) } : { state: 'running' },
    });
    if (promoted !== undefined || (leftMs <= 0 && !isPaused)) return;
    world.board.updateStep(key, seq, { elapsedMs: world.now().getTime() - startedMs });
    await world.changes.next(project, { withinMs: Math.min(LOOK_MS, isPaused ? LOOK_MS : leftMs), signal });
  }
}

function keyOf({ project, rollout }: StepContext): RolloutKey {
  return { project, rollout: rollout.number };
}

/** When it began, before a crash too. */
function startOf(context: StepContext): number {
  const { world, seq } = context;
  const known = world.board.of(keyOf(context)).steps[seq]?.startedMs;
  if (known !== undefined) return known;
  const startedMs = world.now().getTime();
  world.board.updateStep(keyOf(context), seq, { startedMs });
  world.board.flush();
  return startedMs;
}

async function look(step: StepOf<'monitor'>, context: StepContext): Promise<void> {
  const { world, project, seq } = context;
  const key = keyOf(context);
  if (world.board.of(key).steps[seq]?.isExcused === true) return;
  const ill = await illOnes(step, context);
  if (ill.length === 0 || ill.length / step.instances.length <= step.maxFailureRatio) return;
  const reason = `${ill.length} of ${step.instances.length} new instances failed: ${ill.map(({ what }) => what).join('; ')}`;
  if (step.failureAction === 'rollback') throw failed(reason, ill[0]?.name);
  world.board.updateStep(key, seq, { isExcused: true });
  if (step.failureAction === 'continue') return context.say(`${reason}; it goes on, as declared`);
  const atMs = world.now().getTime();
  world.controls.put(key, { atMs, author: 'bascule', action: { kind: 'pause' }, reason });
  context.say(`${reason}; the rollout of "${project}" is paused, as declared`);
}

interface Ill {
  readonly name: string;
  readonly what: string;
}

async function illOnes({ instances: names }: StepOf<'monitor'>, context: StepContext): Promise<readonly Ill[]> {
  const { world, project } = context;
  const key = keyOf(context);
  const { instances } = await world.fleet.observe(project);
  const known = world.board.of(key).baselines;
  const baselines = { ...known };
  const ill: Ill[] = [];
  for (const name of names) {
    const seen = instances.find((each) => each.name === name);
    if (seen !== undefined) baselines[name] ??= baselineOf(seen);
    const illness = illnessOf(seen, baselines[name]);
    if (illness !== undefined) ill.push({ name, what: `${name} ${illness}` });
  }
  if (Object.keys(baselines).length > Object.keys(known).length) world.board.update(key, { baselines });
  return ill;
}

function failed(message: string, instance: string | undefined): UserError {
  return new UserError({
    code: 'instance-failed',
    kind: 'failed',
    message,
    fix: 'Its last output stands below; correct the service and deploy again.',
    ...(instance === undefined ? {} : { details: { instance } }),
  });
}
