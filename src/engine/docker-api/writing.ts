import type { Writable } from 'node:stream';

/** Writes and waits while the client is slower than we are. Gives false when the client is gone. */
export async function writeTo(sink: Writable, data: Uint8Array | string, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted || sink.destroyed || sink.writableEnded) return false;
  if (sink.write(data)) return true;
  await drained(sink, signal);
  return !sink.destroyed && !signal.aborted;
}

function drained(sink: Writable, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      sink.off('drain', done).off('close', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    sink.on('drain', done).on('close', done);
    signal.addEventListener('abort', done);
  });
}

/** A stream of JSON objects, one a line, as `docker build` and `docker pull` read them. */
export interface JsonLines {
  send(value: unknown): void;
  end(): void;
}

export function jsonLines(sink: Writable): JsonLines {
  return {
    send: (value) => {
      if (!sink.destroyed && !sink.writableEnded) sink.write(`${JSON.stringify(value)}\r\n`);
    },
    end: () => void sink.end(),
  };
}
