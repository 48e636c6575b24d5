import type { FileHandle } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';

const BUFFER_BYTES = 256 * 1024;

/**
 * Sends bytes of a file as the body of an answer and ends it. Two buffers take turns, one is read while the other is sent: a
 * stream would make a new one for each piece, which costs twice the time.
 * @throws the reason of the signal when the client goes
 */
export async function sendFile(
  response: ServerResponse,
  file: FileHandle,
  o: { readonly start: number; readonly length: number; readonly signal: AbortSignal },
): Promise<void> {
  const size = Math.min(BUFFER_BYTES, o.length);
  let reading = Buffer.allocUnsafeSlow(size);
  let sending = Buffer.allocUnsafeSlow(o.length > size ? size : 0);
  let sent: Promise<void> = Promise.resolve();
  for (let at = 0; at < o.length;) {
    const { bytesRead } = await file.read(reading, 0, Math.min(size, o.length - at), o.start + at);
    if (bytesRead === 0) throw new Error('a blob is shorter than it was');
    await sent;
    at += bytesRead;
    sent = write(response, reading.subarray(0, bytesRead), o.signal);
    [reading, sending] = [sending, reading];
  }
  await sent;
  response.end();
}

/** Until the buffer is with the kernel. */
function write(response: ServerResponse, data: Buffer, signal: AbortSignal): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const gone = (): void => reject(signal.reason as Error);
  if (signal.aborted) return Promise.reject(signal.reason as Error);
  signal.addEventListener('abort', gone, { once: true });
  response.write(data, (error) => {
    signal.removeEventListener('abort', gone);
    if (error === null || error === undefined) resolve();
    else reject(error);
  });
  promise.catch(() => {}); // whoever reads meanwhile hears of it next
  return promise;
}
