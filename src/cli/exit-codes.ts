import { UserError, type ErrorKind } from '../lib/errors.ts';

/** Exit codes by what went wrong. Documented in docs/cli.md. */
const EXIT_CODES: Readonly<Record<ErrorKind, number>> = {
  failed: 1,
  invalid: 2,
  'not-found': 3,
  conflict: 4,
  unavailable: 5,
  denied: 6,
  unsupported: 7,
  cancelled: 130,
};

/** 70 is a bug in Bascule (`EX_SOFTWARE` of sysexits.h). */
const EXIT_BUG = 70;

export function exitCodeOf(error: unknown): number {
  return error instanceof UserError ? EXIT_CODES[error.kind] : EXIT_BUG;
}
