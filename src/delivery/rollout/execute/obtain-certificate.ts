import { messageOf } from '../../../lib/errors.ts';
import type { StepOf } from '../plan/step.ts';
import type { StepContext } from './world.ts';

/** So long a rollout waits for an authority; from then on the daemon goes on by itself. */
const WAIT_MS = 90_000;

/** Never fails: what serves meanwhile goes on serving, and the daemon tries again. */
export async function obtainCertificate(step: StepOf<'obtain-certificate'>, context: StepContext): Promise<void> {
  const { name, host } = step;
  const { world, signal, say } = context;
  if (world.certificates === undefined) return;
  try {
    await world.certificates.obtain({ name, host }, AbortSignal.any([signal, AbortSignal.timeout(WAIT_MS)]));
  } catch (error) {
    say(
      `${messageOf(error)}. Clients get one that they do not trust meanwhile; it is tried again by itself, see \`bascule doctor\`.`,
    );
  }
}
