import { messageOf } from './errors.ts';

/** The engine's own words, without the client library's frame around them. */
export function saidBy(cause: unknown): string {
  const body = (cause as { readonly json?: { readonly message?: unknown } | null }).json;
  if (typeof body?.message === 'string') return body.message.trim();
  const { statusCode, reason } = cause as { readonly statusCode?: number; readonly reason?: string };
  const frame = `(HTTP code ${statusCode}) ${reason ?? 'unexpected'} - `; // docker-modem's, around the text of a stream
  const message = messageOf(cause);
  return (message.startsWith(frame) ? message.slice(frame.length) : message).trim();
}
