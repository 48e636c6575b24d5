import { request } from 'node:http';
import { connect } from 'node:net';
import { messageOf } from '../../../lib/errors.ts';

/** How we look at an instance from outside, as its clients will. */
export interface Probe {
  /** Does something take connections there? */
  listens(address: string, port: number): Promise<boolean>;
  /** The status of one GET, or what went wrong instead. */
  httpStatus(url: string, o: { readonly timeoutMs: number; readonly signal: AbortSignal }): Promise<number | string>;
}

export const networkProbe: Probe = { listens, httpStatus };

const CONNECT_TIMEOUT_MS = 1_000;

function listens(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: CONNECT_TIMEOUT_MS });
    const end = (answer: boolean): void => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });
}

function httpStatus(url: string, { timeoutMs, signal }: Parameters<Probe['httpStatus']>[1]): Promise<number | string> {
  return new Promise((resolve) => {
    const sent = request(url, { timeout: timeoutMs, signal, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.once('timeout', () => sent.destroy(new Error('no answer in time')));
    sent.once('error', (error) => resolve(messageOf(error)));
    sent.end();
  });
}
