import { setTimeout as delay } from 'node:timers/promises';
import { instanceFailed } from './await-instance.ts';
import type { Probe } from './probe.ts';
import type { StepOf } from './step.ts';

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
    if (performance.now() >= deadline) {
      throw instanceFailed(step.instance, `its smoke test ${step.path} gives ${answer}, not ${step.status}`);
    }
    await delay(100, undefined, { signal: o.signal });
  }
}
