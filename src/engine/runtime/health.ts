import { messageOf } from '../../lib/errors.ts';
import type { HealthEntry } from './container.ts';
import { isUp, type Containers, type Entry } from './containers.ts';
import type { Emit } from './events.ts';
import type { Execs } from './execs.ts';
import type { ExecStreams } from './face.ts';
import {
  KEPT_OUTPUT_BYTES,
  nextDelayMs,
  nextHealth,
  planHealth,
  STARTING,
  TIMED_OUT,
  type HealthPlan,
} from './health-plan.ts';
import type { Host } from './host.ts';

const DEFAULT_SHELL = ['/bin/sh', '-c'];

export interface HealthParts {
  readonly host: Host;
  readonly containers: Containers;
  readonly execs: Execs;
  readonly emit: Emit;
}

interface Loop {
  readonly entry: Entry;
  readonly plan: HealthPlan;
  timer: NodeJS.Timeout | undefined;
  stopped: boolean;
}

/** Asks containers how they are, one loop a container, by running their check inside. */
export class HealthChecks {
  readonly #parts: HealthParts;
  readonly #loops = new Map<string, Loop>();

  constructor(parts: HealthParts) {
    this.#parts = parts;
  }

  /** The container runs now: its health starts anew, or goes on from what is recorded where it was adopted. */
  begin(entry: Entry, o: { readonly adopted: boolean }): void {
    this.end(entry);
    const plan = planHealth(entry.spec.healthcheck, this.#shellOf(entry));
    const status = o.adopted ? (entry.state.health ?? 'starting') : 'starting';
    entry.health = plan === undefined ? undefined : { ...STARTING, status };
    if (plan === undefined) return;
    const loop: Loop = { entry, plan, timer: undefined, stopped: false };
    this.#loops.set(entry.id, loop);
    this.#schedule(loop);
  }

  /** It does not run any more; the last health stays to be seen. */
  end(entry: Entry): void {
    const loop = this.#loops.get(entry.id);
    if (loop === undefined) return;
    loop.stopped = true;
    clearTimeout(loop.timer);
    this.#loops.delete(entry.id);
  }

  close(): void {
    for (const loop of this.#loops.values()) this.end(loop.entry);
  }

  #shellOf(entry: Entry): readonly string[] {
    return this.#parts.host.images.find(entry.spec.imageId)?.config.config?.Shell ?? DEFAULT_SHELL;
  }

  #schedule(loop: Loop): void {
    if (loop.stopped) return;
    const delay = nextDelayMs(loop.plan, { health: loop.entry.health ?? STARTING, ranMs: ranMs(loop.entry) });
    loop.timer = setTimeout(() => {
      this.#check(loop)
        .catch((error: unknown) => {
          this.#parts.host.log.debug({ container: loop.entry.id, error: messageOf(error) }, 'a health check failed');
        })
        .finally(() => this.#schedule(loop));
    }, delay);
  }

  async #check(loop: Loop): Promise<void> {
    const { entry, plan } = loop;
    if (entry.state.status !== 'running') return;
    const inStartPeriod = ranMs(entry) < plan.startPeriodMs;
    const result = await this.#probe(loop);
    if (loop.stopped || !isUp(entry)) return;
    const before = entry.health ?? STARTING;
    entry.health = nextHealth(before, result, { retries: plan.retries, inStartPeriod });
    const { status } = entry.health;
    if (status === before.status) return;
    this.#parts.containers.setState(entry, { ...entry.state, health: status });
    this.#parts.emit(entry, `health_status: ${status}`);
  }

  async #probe({ entry, plan }: Loop): Promise<HealthEntry> {
    const start = new Date();
    let timedOut = false;
    let streams: ExecStreams;
    try {
      streams = await this.#parts.execs.runOnce(entry, { args: plan.args });
    } catch (error) {
      return { start, end: new Date(), exitCode: TIMED_OUT, output: messageOf(error) };
    }
    const timer = setTimeout(() => {
      timedOut = true;
      streams.kill();
    }, plan.timeoutMs);
    const [output, exitCode] = await Promise.all([textOf(streams), streams.exit]);
    clearTimeout(timer);
    const late = `Health check exceeded timeout (${plan.timeoutMs / 1_000}s)`;
    return timedOut
      ? { start, end: new Date(), exitCode: TIMED_OUT, output: output === '' ? late : `${late}: ${output}` }
      : { start, end: new Date(), exitCode, output };
  }
}

async function textOf(streams: ExecStreams): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const { data } of streams.output) {
    if (bytes < KEPT_OUTPUT_BYTES) chunks.push(data.subarray(0, KEPT_OUTPUT_BYTES - bytes));
    bytes += data.length;
  }
  return Buffer.concat(chunks).toString('utf8');
}

function ranMs(entry: Entry): number {
  return Date.now() - Date.parse(entry.state.startedAt ?? new Date().toISOString());
}
