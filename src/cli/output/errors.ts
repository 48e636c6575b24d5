import { messageOf, UserError } from '../../lib/errors.ts';
import type { Failure, RolloutOutcome, Streamed } from '../../server/client/index.ts';
import type { Style } from './style.ts';
import { inertLines } from './text.ts';

/** One error for people: what and where, then what to do. */
export function renderError(error: unknown, style: Style): string {
  if (!(error instanceof UserError)) return renderBug(error, style);
  return `${style.red('error:')} ${inertLines(error.message)}\n${style.dim('  what to do:')} ${inertLines(error.fix)}\n${losses(error, style)}${lastWords(error, style)}`;
}

/** A rollout that was undone may have lost requests, too. */
function losses(error: UserError, style: Style): string {
  const { totals, rollout = '' } = (error.details['outcome'] ?? {}) as Partial<Streamed<RolloutOutcome>>;
  if (totals === undefined || totals.lost === 0) return '';
  return `${style.red(`  ${totals.lost} of ${totals.requests} requests were LOST meanwhile`)}: \`bascule ledger ${rollout}\` says where\n`;
}

/** What the failing instance of a rollout printed, where the error carries it. */
function lastWords(error: UserError, style: Style): string {
  const { failure } = (error.details['outcome'] ?? {}) as { failure?: Streamed<Failure> };
  if (failure === undefined) return '';
  const { instance = 'the instance', logs, healthOutput = '' } = failure;
  const health =
    healthOutput.trim() === '' ? [] : ['last output of its health check:', ...healthOutput.trim().split('\n')];
  const printed = logs.length === 0 ? [] : [`last lines of ${instance}:`, ...logs];
  return [...health, ...printed].map((line) => `${style.dim('  |')} ${inertLines(line)}\n`).join('');
}

/** One error as JSON, on standard error with `--json`. */
export function errorAsJson(error: unknown): string {
  const body =
    error instanceof UserError
      ? { code: error.code, kind: error.kind, message: error.message, fix: error.fix, details: error.details }
      : { code: 'bug', kind: 'failed', message: messageOf(error), fix: BUG_FIX };
  return `${JSON.stringify({ error: body })}\n`;
}

const BUG_FIX = 'This is a bug in Bascule. Please report it with the lines above; what runs keeps running.';

function renderBug(error: unknown, style: Style): string {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return `${style.red('unexpected error:')} ${stack}\n${style.dim('  what to do:')} ${BUG_FIX}\n`;
}
