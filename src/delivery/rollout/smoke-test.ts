import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../lib/errors.ts';
import { instanceFailed } from './await-instance.ts';
import type { StepOf } from './step.ts';

/**
 * One request to a new instance; tried again until its timeout, because a server may answer 503 while it warms up.
 * @throws UserError `instance-failed` with the last answer
 */
export async function smokeTest(
  step: StepOf<'smoke-test'>,
  o: { readonly address: string; readonly signal: AbortSignal },
): Promise<void> {
  const deadline = performance.now() + step.timeoutMs;
  for (;;) {
    const answer = await statusOf(`http://${o.address}:${step.port}${step.path}`, step.timeoutMs, o.signal);
    if (answer === step.status) return;
    if (performance.now() >= deadline) {
      throw instanceFailed(step.instance, `its smoke test ${step.path} gives ${answer}, not ${step.status}`);
    }
    await delay(100, undefined, { signal: o.signal });
  }
}

/** The status, or what went wrong instead. */
function statusOf(url: string, timeout: number, signal: AbortSignal): Promise<number | string> {
  return new Promise((resolve) => {
    const sent = request(url, { timeout, signal, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.once('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.once('error', (error) => resolve(messageOf(error)));
    sent.end();
  });
}
