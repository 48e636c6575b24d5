import { setTimeout as delay } from 'node:timers/promises';
import { readTextIfThere } from '../../lib/files.ts';
import type { ExecPlan } from './argv.ts';
import type { OutputPiece } from './face.ts';
import { failureMessage, type Refusal } from './failures.ts';

/**
 * What a process says, or why there is none: the OCI runtime writes that to the error stream of the process that it
 * could not begin. Clients get it as dockerd words it, on the standard output.
 */
export async function* tellingRefusal(
  pieces: AsyncIterable<OutputPiece>,
  plan: Pick<ExecPlan, 'pidFile' | 'logFile'>,
  findRefusal: () => Promise<Refusal | undefined>,
): AsyncGenerator<OutputPiece> {
  let mayBeRefusal = true;
  for await (const piece of pieces) {
    const said = mayBeRefusal ? await errorOf(plan) : undefined;
    mayBeRefusal = false;
    if (said === undefined) yield piece;
    else {
      const refusal = await findRefusal();
      const why = refusal === undefined ? said : `exec failed: unable to start container process: ${refusal.message}`;
      yield { ...piece, stream: 'stdout', data: Buffer.from(`OCI runtime exec failed: ${why}\r\n`) };
      return;
    }
  }
}

const LOOK_AGAIN_MS = 1;
/** A runtime that says something does one or the other at once. */
const DEADLINE_MS = 1_000;

/**
 * The runtime names the process in a file once it has begun; its log is written when it has not, by crun a moment after
 * the error stream.
 */
async function errorOf(plan: Pick<ExecPlan, 'pidFile' | 'logFile'>): Promise<string | undefined> {
  const deadline = performance.now() + DEADLINE_MS;
  while (performance.now() < deadline) {
    if ((await readTextIfThere(plan.pidFile)) !== undefined) return undefined;
    const log = (await readTextIfThere(plan.logFile)) ?? '';
    if (log.includes('"level":"error"')) return failureMessage(log);
    await delay(LOOK_AGAIN_MS);
  }
  return undefined;
}
