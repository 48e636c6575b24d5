import type { FastifyReply } from 'fastify';
import { errorBodyOf, statusOf } from './errors.ts';

export type Emit = (line: unknown) => void;

/**
 * Answers with JSON lines while `work` runs. Its value is the last line, as `{"result": …}`; what it throws is
 * `{"error": …}`. An error before the first line is an ordinary error answer with its status.
 * The signal ends when the client goes away: work that must go on without it ignores the signal.
 */
export async function replyWithLines(
  reply: FastifyReply,
  work: (emit: Emit, clientGone: AbortSignal) => Promise<unknown>,
): Promise<void> {
  const gone = new AbortController();
  const { raw } = reply;
  reply.hijack();
  raw.once('close', () => gone.abort());
  const write = (line: unknown): void => {
    if (gone.signal.aborted) return;
    if (!raw.headersSent) raw.writeHead(200, { 'content-type': 'application/jsonl', 'cache-control': 'no-store' });
    raw.write(`${JSON.stringify(line)}\n`);
  };
  try {
    const result = await work((line) => write(line), gone.signal);
    write({ result });
  } catch (error) {
    if (!raw.headersSent && !gone.signal.aborted) {
      raw.writeHead(statusOf(error), { 'content-type': 'application/json' });
      raw.write(JSON.stringify(errorBodyOf(error)));
    } else {
      write(errorBodyOf(error));
    }
  }
  if (!gone.signal.aborted) raw.end();
}
