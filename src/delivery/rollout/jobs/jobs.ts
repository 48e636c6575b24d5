import { setTimeout as delay } from 'node:timers/promises';
import { formatDuration } from '../../../lib/duration.ts';
import { messageOf, UserError } from '../../../lib/errors.ts';
import { ATTEMPT_LABEL, jobSpecOf, type ObservedInstance, placementsOf } from '../../fleet/index.ts';
import type { Release } from '../../release/index.ts';
import { decideJob } from './decide-job.ts';
import type { StepContext } from '../execute/world.ts';
import type { JobEnd, JobKey } from './job-runs.ts';
import { followOutput, lastLines } from './job-output.ts';
import type { StepOf } from '../plan/step.ts';

type Step = StepOf<'run-job'>;

/**
 * Runs a job to its success: attempt by attempt, each written down before it begins and when it has ended. Run again
 * after a crash it adopts the container that it finds: waits for it, or takes its exit code. What had succeeded is not
 * run again; only an attempt whose container somebody removed before its end was written down is made anew.
 * @throws UserError `job-failed` with the last lines
 */
export async function runJob(step: Step, context: StepContext): Promise<void> {
  const { world, project, signal } = context;
  const key = { project, release: step.release, job: step.job };
  for (;;) {
    const decision = decideJob(world.jobs.of(key), step);
    if (decision.act === 'nothing') return await clearAway(step, context);
    if (decision.act === 'fail') {
      await clearAway(step, context);
      throw jobFailed(key, decision);
    }
    await delay(decision.pauseMs, undefined, { signal });
    const { attempt } = decision;
    if (decision.isNew) beginAttempt(step, context, attempt);
    const ended = await new Attempt(step, context, attempt).toTheEnd();
    world.jobs.end(key, attempt, ended);
    if (ended.outcome !== 'succeeded') context.say(`job ${step.job}, attempt ${attempt}: ${ended.reason ?? 'failed'}`);
  }
}

function beginAttempt({ release, job, migration }: Step, { world, project }: StepContext, attempt: number): void {
  const startedMs = world.now().getTime();
  const run = { attempt, startedMs, ...(migration === undefined ? {} : { migration }) };
  world.jobs.begin({ project, release, job }, run);
}

/** Its end is written down: nobody needs it any more. What stays here is swept away later. */
async function clearAway({ instance }: Step, { world, say }: StepContext): Promise<void> {
  await world.fleet.removeInstance(instance).catch((error: unknown) => say(messageOf(error)));
}

const POLL_MS = 50;
const LONGEST_POLL_MS = 500;

class Attempt {
  readonly #step: Step;
  readonly #context: StepContext;
  readonly #attempt: number;
  readonly #release: Release;
  readonly #hide: (text: string) => string;

  constructor(step: Step, context: StepContext, attempt: number) {
    this.#step = step;
    this.#context = context;
    this.#attempt = attempt;
    this.#release = context.world.releases.get(context.project, step.release);
    this.#hide = context.world.files.hider(this.#release);
  }

  async toTheEnd(): Promise<JobEnd> {
    try {
      await this.#start();
    } catch (error) {
      if (!(error instanceof UserError) || error.kind === 'unavailable') throw error;
      return this.#failed(`it could not be started: ${messageOf(error)}`, []);
    }
    await using _output = followOutput(this.#step, this.#context, this.#hide);
    return await this.#awaitEnd();
  }

  /** Makes its container and starts it, unless both was done before a crash. */
  async #start(): Promise<void> {
    const { instance } = this.#step;
    const { fleet } = this.#context.world;
    const there = await fleet.inspect(instance);
    const isOwn = there?.labels[ATTEMPT_LABEL] === String(this.#attempt);
    if (there !== undefined && !isOwn) await fleet.removeInstance(instance);
    const made = isOwn ? there : await this.#create();
    if (made?.state === 'created') await fleet.startInstance(instance);
  }

  async #create(): Promise<ObservedInstance | undefined> {
    const { fleet, files } = this.#context.world;
    const { job } = this.#step;
    const release = this.#release;
    const { service } = release.model.settings.jobs[job]!;
    for (const placement of placementsOf(release, service)) await files.place(placement);
    await fleet.createInstance(
      jobSpecOf({ release, job, attempt: this.#attempt, pathOf: (placement) => files.pathOf(placement) }),
    );
    return await fleet.inspect(this.#step.instance);
  }

  async #awaitEnd(): Promise<JobEnd> {
    const { world, signal } = this.#context;
    const { instance, timeoutMs } = this.#step;
    const begunMs = world.now().getTime();
    for (let pollMs = POLL_MS; ; pollMs = Math.min(LONGEST_POLL_MS, pollMs * 1.2)) {
      const seen = await this.#inspect();
      if (seen === 'gone') return this.#failed('its container is gone', []);
      if (seen?.state === 'exited' || seen?.state === 'dead') return await this.#ended(seen);
      const sinceMs = seen?.startedAt?.getTime() ?? begunMs;
      if (world.now().getTime() - sinceMs >= timeoutMs) {
        await world.fleet.stopInstance(instance);
        const lines = await this.#lastLines();
        return { ...this.#failed(`it has not ended after ${formatDuration(timeoutMs)}`, lines), outcome: 'timeout' };
      }
      await delay(pollMs, undefined, { signal });
    }
  }

  /** An engine that is away may come back; the job goes on meanwhile. */
  async #inspect(): Promise<ObservedInstance | 'gone' | undefined> {
    try {
      return (await this.#context.world.fleet.inspect(this.#step.instance)) ?? 'gone';
    } catch (error) {
      if (error instanceof UserError && error.kind === 'unavailable') return undefined;
      throw error;
    }
  }

  async #ended({ exitCode = 255, oomKilled, error }: ObservedInstance): Promise<JobEnd> {
    const lines = await this.#lastLines();
    const endedMs = this.#context.world.now().getTime();
    if (exitCode === 0) return { outcome: 'succeeded', endedMs, exitCode, lines };
    const why = oomKilled ? ' (out of memory)' : error === undefined ? '' : ` (${error})`;
    return { ...this.#failed(`it ended with exit code ${exitCode}${why}`, lines), exitCode };
  }

  async #lastLines(): Promise<readonly string[]> {
    return (await lastLines(this.#step, this.#context)).map(this.#hide);
  }

  #failed(reason: string, lines: readonly string[]): JobEnd {
    return { outcome: 'failed', endedMs: this.#context.world.now().getTime(), reason, lines };
  }
}

function jobFailed(
  { job, release }: JobKey,
  { attempts, ended }: { readonly attempts: number; readonly ended: JobEnd },
): UserError {
  const often = attempts === 1 ? '' : `, as did ${attempts - 1} before it`;
  return new UserError({
    code: 'job-failed',
    kind: 'failed',
    message: `the job "${job}" of release ${release} failed: ${ended.reason ?? 'unknown'}${often}`,
    fix: 'Its last output stands below; correct it and deploy again. What it has changed already is not taken back.',
    details: { job, release, exitCode: ended.exitCode, logs: ended.lines },
  });
}
