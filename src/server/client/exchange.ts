import { connect, type Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { createAnswerReader } from './answer-reader.ts';

/** One request over a Unix socket. */
export interface Exchange {
  readonly method: string;
  /** With its query, encoded. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** A stream is sent in chunks, as it comes. */
  readonly body?: string | Readable;
  readonly signal?: AbortSignal;
}

export interface Answer {
  readonly status: number;
  /** @throws Error `ECONNRESET` where the connection ended before the answer did */
  readonly body: AsyncGenerator<Buffer>;
  /** Ends the connection, also while somebody waits for the body. */
  leave(): void;
}

/** More than this waits in the socket. */
const MOST_WAITING = 64;

/**
 * HTTP/1.1 as far as our own API needs it: one exchange a connection. `node:http` does the same, and takes 10 ms of
 * every command to be loaded and compiled.
 * @throws Error of the socket (`ENOENT`, `ECONNREFUSED`, `EACCES` …); `ECONNRESET` where it ended without an answer
 */
export async function exchange(socketPath: string, request: Exchange): Promise<Answer> {
  request.signal?.throwIfAborted();
  const head = headOf(request);
  const socket = connect({ path: socketPath, ...(request.signal === undefined ? {} : { signal: request.signal }) });
  const pieces = createPieces(socket);
  const answered = Promise.withResolvers<number>();
  const reader = createAnswerReader({
    onHead: ({ status }) => answered.resolve(status),
    onData: pieces.put,
    onEnd() {
      pieces.end();
      socket.destroy();
    },
  });
  const fail = (error: Error): void => {
    answered.reject(error);
    pieces.end(error);
  };
  socket.on('data', (data: Buffer) => {
    try {
      reader.take(data);
    } catch (error) {
      socket.destroy(error as Error);
    }
  });
  socket.on('error', fail);
  socket.once('close', () => reader.end() || fail(hangUp()));
  socket.write(head);
  if (typeof request.body === 'object') void sendStream(socket, request.body);
  return { status: await answered.promise, body: pieces.all(), leave: () => void socket.destroy() };
}

function headOf({ method, path, headers, body }: Exchange): string {
  if (/[^\x21-\x7e]/.test(path)) throw new Error(`a path that is not encoded: ${path}`);
  const length = typeof body === 'string' ? String(Buffer.byteLength(body)) : method === 'GET' ? undefined : '0';
  const size = typeof body === 'object' ? { 'transfer-encoding': 'chunked' } : { 'content-length': length };
  const lines = Object.entries({ ...headers, ...size, connection: 'close' })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${typeof body === 'string' ? body : ''}`;
}

async function sendStream(socket: Socket, content: Readable): Promise<void> {
  try {
    for await (const data of content as AsyncIterable<Uint8Array>) {
      if (socket.destroyed) return;
      if (data.length === 0) continue; // that would be the end
      socket.cork();
      socket.write(`${data.length.toString(16)}\r\n`);
      socket.write(data);
      socket.write('\r\n');
      socket.uncork();
      if (socket.writableNeedDrain) await drained(socket);
    }
    socket.write('0\r\n\r\n');
  } catch (error) {
    socket.destroy(error as Error);
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      socket.off('drain', go).off('close', go);
      resolve();
    };
    socket.on('drain', go).on('close', go);
  });
}

/** What has come and is not read yet; the socket waits while that is much. */
function createPieces(socket: Socket) {
  const waiting: Buffer[] = [];
  let failure: Error | undefined;
  let isOver = false;
  let wake = (): void => {};
  return {
    put(data: Buffer): void {
      if (waiting.push(data) > MOST_WAITING) socket.pause();
      wake();
    },
    /** Nothing comes after it. */
    end(error?: Error): void {
      if (isOver) return;
      isOver = true;
      failure = error;
      wake();
    },
    async *all(): AsyncGenerator<Buffer> {
      try {
        for (;;) {
          yield* waiting.splice(0);
          if (waiting.length > 0) continue; // came meanwhile
          if (failure !== undefined) throw failure;
          if (isOver) return;
          socket.resume();
          await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        socket.destroy();
      }
    },
  };
}

/** As Node's own client tells it. */
function hangUp(): Error {
  return Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
}
