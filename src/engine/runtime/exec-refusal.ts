import { readTextIfThere } from '../../lib/files.ts';
import type { ExecPlan } from './argv.ts';
import type { OutputPiece } from './face.ts';
import { failureMessage } from './failures.ts';

/**
 * What a process says, or why there is none: the OCI runtime writes that to the error stream of the process that it
 * could not begin. Clients get it as dockerd words it, on the standard output.
 */
export async function* tellingRefusal(
  pieces: AsyncIterable<OutputPiece>,
  plan: Pick<ExecPlan, 'pidFile' | 'logFile'>,
): AsyncGenerator<OutputPiece> {
  let mayBeRefusal = true;
  for await (const piece of pieces) {
    const said = mayBeRefusal ? await refusalOf(plan) : undefined;
    mayBeRefusal = false;
    if (said === undefined) yield piece;
    else {
      yield { ...piece, stream: 'stdout', data: Buffer.from(`OCI runtime exec failed: ${said}\r\n`) };
      return;
    }
  }
}

/** The runtime names the process in a file once it has begun; its log is written when it has not. */
async function refusalOf(plan: Pick<ExecPlan, 'pidFile' | 'logFile'>): Promise<string | undefined> {
  if ((await readTextIfThere(plan.pidFile)) !== undefined) return undefined;
  const log = (await readTextIfThere(plan.logFile)) ?? '';
  return log.includes('"level":"error"') ? failureMessage(log) : undefined;
}
