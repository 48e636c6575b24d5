import { isUp, type Entry, type Moment } from './containers.ts';
import type { WaitCondition, WaitResult } from './face.ts';

/**
 * Docker's three conditions: `not-running` holds at once where it does not run; `next-exit` waits for the next end;
 * `removed` until it is no more. @throws the signal's reason
 */
export function waitFor(entry: Entry, condition: WaitCondition, signal?: AbortSignal): Promise<WaitResult> {
  signal?.throwIfAborted();
  if (condition === 'not-running' && !isUp(entry) && entry.state.status !== 'restarting') {
    return Promise.resolve(resultOf(entry));
  }
  const { promise, resolve, reject } = Promise.withResolvers<WaitResult>();
  const listener = (moment: Moment): void => {
    if (isMet(entry, condition, moment)) resolve(resultOf(entry));
  };
  const abort = (): void => reject(signal?.reason as Error);
  entry.listeners.add(listener);
  signal?.addEventListener('abort', abort);
  return promise.finally(() => {
    entry.listeners.delete(listener);
    signal?.removeEventListener('abort', abort);
  });
}

function isMet(entry: Entry, condition: WaitCondition, moment: Moment): boolean {
  switch (condition) {
    case 'removed':
      return moment === 'removed';
    case 'next-exit':
      return moment !== 'changed';
    case 'not-running':
      return moment === 'removed' || (moment === 'exited' && entry.state.status !== 'restarting');
  }
}

function resultOf(entry: Entry): WaitResult {
  const { exitCode, error } = entry.state;
  return error === '' ? { exitCode } : { exitCode, error };
}
