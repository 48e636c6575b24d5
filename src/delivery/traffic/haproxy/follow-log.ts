import { connect, type Socket } from 'node:net';
import { LOG_RING } from './log-line.ts';

export interface LogFollower {
  stop(): void;
}

/** A line longer than this is none of ours. */
const MAX_REST_CHARACTERS = 64 * 1024;
const RETRY_MS = 1_000;

/**
 * Reads the proxy's log ring as it fills (management guide, "show events"): from now on, through restarts of the
 * proxy. While nobody reads, the ring keeps the newest lines and costs nothing. Keeps no event loop alive.
 */
export function followLog(socketPath: string, onLines: (lines: readonly string[]) => void): LogFollower {
  let socket: Socket | undefined;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  const open = (): void => {
    let rest = '';
    socket = connect(socketPath);
    socket.unref();
    socket.setEncoding('latin1');
    socket.on('connect', () => socket?.write(`show events ${LOG_RING} -w -n\n`));
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      if (rest.length > MAX_REST_CHARACTERS) rest = '';
      onLines(lines);
    });
    socket.on('close', () => {
      if (isStopped) return;
      timer = setTimeout(open, RETRY_MS);
      timer.unref();
    });
  };
  open();
  return {
    stop() {
      isStopped = true;
      clearTimeout(timer);
      socket?.destroy();
    },
  };
}
