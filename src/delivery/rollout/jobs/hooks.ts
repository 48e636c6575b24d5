import { parseDurationMs, formatDuration } from '../../../lib/duration.ts';
import { messageOf, UserError } from '../../../lib/errors.ts';
import type { LifecycleHook, Service } from '../../compose/index.ts';
import type { ExecStreams, Fleet } from '../../fleet/index.ts';
import type { Release } from '../../release/index.ts';
import type { StepContext, World } from '../execute/world.ts';
import { type HookKind, hooksOf } from '../plan/hooks.ts';
import type { StepOf } from '../plan/step.ts';

/**
 * The hooks of an instance, one after the other. A `post_start` that fails fails the start; a `pre_stop` that fails is
 * said, and the instance is stopped all the same. One that does not run has nothing to be done in it.
 */
export async function runHooks(step: StepOf<'run-hooks'>, { world, project, signal, say }: StepContext): Promise<void> {
  const release = world.releases.get(project, step.release);
  const { instance, hook } = step;
  if (hooksOf(release, step.service, hook).length === 0) return;
  const seen = await world.fleet.inspect(instance);
  if (hook === 'pre_stop' && seen?.state !== 'running') return;
  try {
    await callHooks(world, { release, service: step.service, instance, hook, signal });
  } catch (error) {
    if (hook === 'post_start' || signal.aborted) throw error;
    say(`${messageOf(error)}; it is stopped all the same`);
  }
}

export interface HookCall {
  readonly release: Release;
  readonly service: string;
  readonly instance: string;
  readonly hook: HookKind;
  readonly signal: AbortSignal;
}

/** @throws UserError `hook-failed` */
export async function callHooks({ fleet, files }: Pick<World, 'fleet' | 'files'>, call: HookCall): Promise<void> {
  const timeoutMs = timeoutOf(call);
  const deadline = performance.now() + timeoutMs;
  for (const hook of hooksOf(call.release, call.service, call.hook)) {
    const left = deadline - performance.now();
    const ended = await runHook(fleet, { call, hook, leftMs: Math.max(0, left) });
    if (ended.exitCode === 0) continue;
    const reason =
      ended.exitCode === undefined
        ? `has not ended after ${formatDuration(timeoutMs)}`
        : `ended with exit code ${ended.exitCode}`;
    throw hookFailed(call, { hook, reason, lines: ended.lines.map(files.hider(call.release)) });
  }
}

/** As Docker has it. */
const DEFAULT_GRACE_MS = 10_000;

/** All hooks of a moment together: before a stop they have what the stop itself has. */
function timeoutOf({ release, service, hook }: HookCall): number {
  if (hook === 'post_start') return release.model.settings.healthTimeoutMs;
  return graceOf(release.model.services[service]);
}

function graceOf(service: Service | undefined): number {
  return (
    (service?.stop_grace_period === undefined ? undefined : parseDurationMs(service.stop_grace_period)) ??
    DEFAULT_GRACE_MS
  );
}

interface Running {
  readonly call: HookCall;
  readonly hook: LifecycleHook;
  readonly leftMs: number;
}

interface Ended {
  /** Absent: it still ran when its time was over. */
  readonly exitCode?: number;
  readonly lines: readonly string[];
}

async function runHook(fleet: Pick<Fleet, 'exec'>, { call, hook, leftMs }: Running): Promise<Ended> {
  const { command, environment = {}, user, working_dir: workingDirectory } = hook;
  const given = Object.entries(environment).flatMap(([name, value]) =>
    value === null ? [] : [[name, value] as const],
  );
  const session = await fleet.exec(call.instance, {
    args: command ?? [],
    env: Object.fromEntries(given),
    tty: false,
    attachStdin: false,
    ...(user === undefined ? {} : { user }),
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
  });
  const tail = new Tail();
  const reading = tail.read(session.output);
  const exitCode = await exitWithin(session, leftMs, call.signal);
  if (exitCode !== undefined) await reading;
  return { ...(exitCode === undefined ? {} : { exitCode }), lines: tail.lines() };
}

/** Undefined when the time was over. What runs in the instance then goes on: it ends with the instance. */
async function exitWithin({ exit, stdin }: ExecStreams, ms: number, signal: AbortSignal): Promise<number | undefined> {
  const late = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(ms))]);
  const ended = Promise.withResolvers<undefined>();
  const onEnd = (): void => ended.resolve(undefined);
  late.addEventListener('abort', onEnd, { once: true });
  try {
    const exitCode = await Promise.race([exit, ended.promise]);
    signal.throwIfAborted();
    return exitCode;
  } finally {
    late.removeEventListener('abort', onEnd);
    stdin.destroy();
  }
}

const LINES = 20;
const BYTES = 16_384;

/** The end of what a hook prints. */
class Tail {
  #text = '';

  async read(output: ExecStreams['output']): Promise<void> {
    try {
      for await (const { data } of output) this.#text = (this.#text + data.toString('utf8')).slice(-BYTES);
    } catch {
      // the stream was cut: what came is kept
    }
  }

  lines(): readonly string[] {
    return this.#text.trimEnd() === '' ? [] : this.#text.trimEnd().split('\n').slice(-LINES);
  }
}

function hookFailed(
  { instance, hook }: HookCall,
  o: { readonly hook: LifecycleHook; readonly reason: string; readonly lines: readonly string[] },
): UserError {
  return new UserError({
    code: 'hook-failed',
    kind: 'failed',
    message: `${instance}: its ${hook} hook \`${(o.hook.command ?? []).join(' ')}\` ${o.reason}`,
    fix: `Correct the command under \`${hook}:\` in the Compose file. Its last output stands below.`,
    details: { instance, hook, ...(o.lines.length === 0 ? {} : { logs: o.lines }) },
  });
}
