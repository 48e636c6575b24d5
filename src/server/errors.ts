import { messageOf, UserError, type ErrorKind } from '../lib/errors.ts';
import type { ApiErrorBody } from './client/transport.ts';

const STATUS: Readonly<Record<ErrorKind, number>> = {
  invalid: 400,
  denied: 403,
  'not-found': 404,
  conflict: 409,
  failed: 422,
  cancelled: 499,
  unsupported: 501,
  unavailable: 503,
};

/** HTTP status of anything that was thrown; a bug is 500. */
export function statusOf(error: unknown): number {
  return error instanceof UserError ? STATUS[error.kind] : 500;
}

export function errorBodyOf(error: unknown): { readonly error: ApiErrorBody } {
  if (error instanceof UserError) {
    const { code, kind, message, fix, details } = error;
    return { error: { code, kind, message, fix, details } };
  }
  return {
    error: {
      code: 'bug',
      kind: 'failed',
      message: `unexpected error in the daemon: ${messageOf(error)}`,
      fix: "This is a bug in Bascule. Please report it with the daemon's log (`bascule daemon status` says where it is).",
    },
  };
}
