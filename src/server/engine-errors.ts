import { saidBy } from '../lib/engine-answer.ts';
import { engineUnavailable } from '../lib/engine-unavailable.ts';
import { UserError, type ErrorKind } from '../lib/errors.ts';

/** Waits for the engine: what it refuses, and that it is not there, become errors for users. */
export async function call<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { statusCode, json } = error as { statusCode?: number; json?: { fix?: string } };
    if (statusCode === undefined) throw engineUnavailable({ what: 'work on images', cause: error }) ?? error;
    throw engineError(statusCode, saidBy(error), json?.fix);
  }
}

const KINDS: Readonly<Record<number, ErrorKind>> = {
  400: 'invalid',
  401: 'denied',
  403: 'denied',
  404: 'not-found',
  409: 'conflict',
  501: 'unsupported',
  503: 'unavailable',
};

export function engineError(status: number, message: string, fix = fixFor(status)): UserError {
  return new UserError({
    code: `engine-${status}`,
    kind: KINDS[status] ?? 'failed',
    message,
    fix,
  });
}

function fixFor(status: number): string {
  return status === 404
    ? '`bascule images` lists what is there; `bascule image bootstrap debian:bookworm` makes a base image (with the embedded engine).'
    : 'The message above is from the engine; `bascule doctor` checks what it needs.';
}
