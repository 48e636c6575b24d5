import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../../../lib/errors.ts';
import { instanceFailed } from './await-instance.ts';
import type { Probe } from './probe.ts';
import type { StepOf } from '../plan/step.ts';

/**
 * One request to a new instance; tried again until its timeout, because a server may answer 503 while it warms up.
 * @throws UserError `instance-failed` with the last answer
 */
export async function smokeTest(
  step: StepOf<'smoke-test'>,
  o: { readonly address: string; readonly probe: Probe; readonly signal: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + step.timeoutMs;
  for (;;) {
    const answer = await o.probe.httpStatus(`http://${o.address}:${step.port}${step.path}`, {
      timeoutMs: step.timeoutMs,
      signal: o.signal,
    });
    if (answer === step.status) return;
    if (performance.now() >= deadline)
      throw smokeFailed(step, `its smoke test ${step.path} gives ${answer}, not ${step.status}`);
    await delay(100, undefined, { signal: o.signal });
  }
}

/** Of a new release, or of the one that serves: then the migration before it is to blame. */
function smokeFailed({ instance, after }: StepOf<'smoke-test'>, reason: string): UserError {
  if (after === undefined) return instanceFailed(instance, reason);
  return new UserError({
    code: 'migration-breaks-serving',
    kind: 'failed',
    message: `the release that serves no longer works after the migration "${after}": ${instance}: ${reason}`,
    fix: `No traffic was moved. "expand" must only add: correct "${after}", and take back by hand what it has changed.`,
    details: { instance, job: after },
  });
}
