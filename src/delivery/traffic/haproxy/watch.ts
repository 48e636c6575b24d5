import { connect, type Socket } from 'node:net';

/** Tells when a process that is not our child dies: its end closes an idle connection to its runtime socket. */
export interface Watch {
  stop(): void;
}

/** Calls `onEnd` once, when the connection is lost or cannot be made. Keeps no event loop alive. */
export function watchProxy(socketPath: string, onEnd: () => void): Watch {
  const socket: Socket = connect(socketPath);
  let isStopped = false;
  socket.unref();
  socket.on('connect', () => socket.write('prompt\n'));
  socket.on('error', () => {});
  socket.on('data', () => {});
  socket.on('close', () => {
    if (!isStopped) onEnd();
  });
  return {
    stop() {
      isStopped = true;
      socket.destroy();
    },
  };
}
