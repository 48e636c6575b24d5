import type { StepContext } from '../execute/world.ts';
import type { StepOf } from '../plan/step.ts';

const LINES = 20;
const PATIENCE_MS = 2_000;

/** Says every line of a job as it comes; disposing waits for the last ones. */
export function followOutput(
  { instance, job }: StepOf<'run-job'>,
  { world, emit, signal }: StepContext,
  hide: (text: string) => string,
): AsyncDisposable {
  const end = new AbortController();
  const reading = (async () => {
    const lines = world.fleet.logs(instance, { follow: true, signal: AbortSignal.any([end.signal, signal]) });
    for await (const { text } of lines) emit({ type: 'job-output', job, line: hide(text) });
  })().catch(() => {}); // who looks on misses lines; the last ones are read again
  return {
    async [Symbol.asyncDispose]() {
      const timer = setTimeout(() => end.abort(), PATIENCE_MS);
      await reading;
      clearTimeout(timer);
    },
  };
}

/** What a job printed last; nothing where the engine cannot say. */
export async function lastLines(
  { instance }: StepOf<'run-job'>,
  { world }: Pick<StepContext, 'world'>,
): Promise<readonly string[]> {
  const lines: string[] = [];
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    for await (const { text } of world.fleet.logs(instance, { follow: false, tail: LINES, signal })) lines.push(text);
  } catch {
    return lines;
  }
  return lines.slice(-LINES);
}
