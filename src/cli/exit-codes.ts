import { UserError, type ErrorKind } from '../lib/errors.ts';
import type { Failure, RolloutOutcome, Streamed } from '../server/client/index.ts';

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

/** The new release serves, or the old one again, but requests were lost on the way. */
const EXIT_REQUESTS_LOST = 8;

/** The analysis or a guard sent the new release back. */
const EXIT_FOUND_WORSE = 9;

const FOUND_WORSE: ReadonlySet<unknown> = new Set(['rollout-worse', 'rollout-guard', 'rollout-insufficient']);

export function exitCodeOf(error: unknown): number {
  if (!(error instanceof UserError)) return EXIT_BUG;
  const { failure } = (error.details['outcome'] ?? {}) as { readonly failure?: Streamed<Failure> };
  return isFoundWorse(error) || isFoundWorse(failure) ? EXIT_FOUND_WORSE : EXIT_CODES[error.kind];
}

/** Of a rollout that did what it should. `down` cuts off whoever is there: that is what it is for. */
export function exitCodeOfOutcome({ kind, totals }: Pick<Streamed<RolloutOutcome>, 'kind' | 'totals'>): number {
  return kind !== 'down' && (totals?.lost ?? 0) > 0 ? EXIT_REQUESTS_LOST : 0;
}

/** Of a rollout that ended undone. */
export function exitCodeOfFailure(failure: Streamed<Failure> | undefined): number {
  if (failure?.cancelled === true) return EXIT_CODES.cancelled;
  return isFoundWorse(failure) ? EXIT_FOUND_WORSE : EXIT_CODES.failed;
}

function isFoundWorse(failure: { readonly code?: string } | undefined): boolean {
  return FOUND_WORSE.has(failure?.code);
}
