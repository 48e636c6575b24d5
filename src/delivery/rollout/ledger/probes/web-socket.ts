import { WebSocket } from 'ws';
import { failureOf, headersOf, isByProxy, type ProbeRun, type RunProbe } from './dial.ts';
import { pause } from './pause.ts';

const AGAIN_MS = 1_000;
const PING_MS = 500;
/** Without a pong for so long the connection is as good as dead. */
const SILENCE_MS = 10_000;
const HANDSHAKE_MS = 10_000;
/** RFC 6455, 7.4.1: no close frame came. */
const CUT = 1006;

/** One WebSocket that is held open and pinged (RFC 6455, 5.5.2), and opened again when it ended. */
export const probeByWebSocket: RunProbe = async (run) => {
  while (!run.signal.aborted) {
    await holdOpen(run);
    await pause(AGAIN_MS, run.signal);
  }
};

function holdOpen(run: ProbeRun): Promise<void> {
  const { target, book, signal } = run;
  return new Promise((resolve) => {
    const socket = dial(run);
    const pinger = keepPinging(socket, run);
    let isOver = false;
    const end = (count: () => void): void => {
      if (!isOver && !signal.aborted) count();
      isOver = true;
      clearInterval(pinger);
      signal.removeEventListener('abort', leave);
      resolve();
    };
    const leave = (): void => {
      if (socket.readyState === WebSocket.OPEN) socket.close(1000);
      else socket.terminate();
      end(() => {});
    };
    signal.addEventListener('abort', leave);
    let hasOpened = false;
    socket.on('open', () => {
      hasOpened = true;
      book.opened();
    });
    socket.on('message', () => book.message());
    socket.on('pong', () => book.pong());
    socket.on('unexpected-response', (sent, answer) => {
      end(() => book.answered(answer.statusCode ?? 0, isByProxy(answer)));
      sent.destroy();
    });
    socket.on('error', (error) =>
      end(() =>
        hasOpened ? cut(run, error.message) : book.failed(failureOf(error, false), `${target.url}: ${error.message}`),
      ),
    );
    socket.on('close', (code) => end(() => (code === CUT ? cut(run, 'it was cut') : book.ended('byApplication'))));
  });
}

function dial(run: ProbeRun): WebSocket {
  const { address, port, path, isTls, host } = run.target;
  const where = address.includes(':') ? `[${address}]` : address;
  return new WebSocket(`${isTls ? 'wss' : 'ws'}://${where}:${port}${path}`, {
    headers: headersOf(run),
    rejectUnauthorized: false,
    handshakeTimeout: HANDSHAKE_MS,
    perMessageDeflate: false,
    ...(isTls && host !== undefined ? { servername: host } : {}),
  });
}

function keepPinging(socket: WebSocket, { book }: ProbeRun): NodeJS.Timeout {
  let silentSince = performance.now();
  socket.on('pong', () => {
    silentSince = performance.now();
  });
  return setInterval(() => {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (performance.now() - silentSince > SILENCE_MS) {
      book.failed('timeout', 'no pong came');
      socket.close(1000);
      return;
    }
    book.sent();
    socket.ping();
  }, PING_MS).unref();
}

function cut({ book, isDrainDeadline }: ProbeRun, detail: string): void {
  if (isDrainDeadline()) book.ended('atDrainDeadline');
  else book.failed('truncated', detail);
}
