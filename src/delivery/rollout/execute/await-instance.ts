import { setTimeout as delay } from 'node:timers/promises';
import { formatDuration } from '../../../lib/duration.ts';
import { UserError } from '../../../lib/errors.ts';
import type { Fleet, ObservedInstance } from '../../fleet/index.ts';
import { judgeHealth, type Judgement } from './judge-health.ts';
import type { Probe } from './probe.ts';
import type { StepOf } from '../plan/step.ts';

interface Waiting {
  readonly fleet: Pick<Fleet, 'inspect'>;
  readonly probe: Probe;
  readonly signal: AbortSignal;
  now(): Date;
}

const POLL_MS = 50;

/**
 * Waits until an instance is fit for traffic: healthy by its own check (or, without one, running steadily), and
 * taking connections on its ports.
 * @throws UserError `instance-failed` as soon as it is clear that it never will be, or at the deadline
 */
export async function awaitHealthy(step: StepOf<'wait-healthy'>, o: Waiting): Promise<void> {
  const started = performance.now();
  let lastExitCode: number | undefined;
  const instance = await awaitJudgement(step, o, (seen) => {
    lastExitCode = seen.exitCode ?? lastExitCode;
    const waitedMs = performance.now() - started;
    return judgeHealth(seen, { mayExit: step.mayExit, waitedMs, lastExitCode, now: o.now() });
  });
  if (instance.state !== 'running') return;
  for (const port of step.ports) await awaitPort({ ...step, port, address: addressOf(instance, step) }, o);
}

/** Waits until a job has ended with success. @throws UserError `instance-failed` */
export async function awaitCompleted(step: StepOf<'wait-completed'>, o: Waiting): Promise<void> {
  await awaitJudgement(step, o, (seen) => {
    if (seen.state === 'exited' && seen.exitCode === 0) return { verdict: 'fit' };
    if (seen.state === 'exited' || seen.state === 'dead')
      return { verdict: 'failed', reason: `it ended with exit code ${seen.exitCode}` };
    return { verdict: 'waiting', reason: 'it has not ended' };
  });
}

async function awaitJudgement(
  { instance: name, timeoutMs }: { readonly instance: string; readonly timeoutMs: number },
  { fleet, signal }: Waiting,
  judge: (seen: ObservedInstance) => Judgement,
): Promise<ObservedInstance> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const seen = await fleet.inspect(name);
    const judgement: Judgement = seen === undefined ? { verdict: 'failed', reason: 'it is gone' } : judge(seen);
    if (judgement.verdict === 'fit') return seen!;
    if (judgement.verdict === 'failed') throw instanceFailed(name, judgement.reason);
    if (performance.now() >= deadline)
      throw instanceFailed(name, `${judgement.reason} after ${formatDuration(timeoutMs)}`);
    await delay(POLL_MS, undefined, { signal });
  }
}

function addressOf(instance: ObservedInstance, { network }: StepOf<'wait-healthy'>): string {
  return network === undefined ? '127.0.0.1' : (instance.addresses[network] ?? '127.0.0.1');
}

interface PortWait {
  readonly instance: string;
  readonly address: string;
  readonly port: number;
  readonly timeoutMs: number;
}

async function awaitPort(o: PortWait, { probe, signal }: Waiting): Promise<void> {
  const deadline = performance.now() + o.timeoutMs;
  while (!(await probe.listens(o.address, o.port))) {
    if (performance.now() >= deadline) {
      throw instanceFailed(o.instance, `nothing listens on its port ${o.port} after ${formatDuration(o.timeoutMs)}`);
    }
    await delay(POLL_MS, undefined, { signal });
  }
}

export function instanceFailed(instance: string, reason: string): UserError {
  return new UserError({
    code: 'instance-failed',
    kind: 'failed',
    message: `${instance}: ${reason}`,
    fix: 'Its last output stands below; correct the service and deploy again.',
    details: { instance },
  });
}
