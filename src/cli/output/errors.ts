import { messageOf, UserError } from '../../lib/errors.ts';
import type { Style } from './style.ts';

/** One error for people: what and where, then what to do. */
export function renderError(error: unknown, style: Style): string {
  if (!(error instanceof UserError)) return renderBug(error, style);
  return `${style.red('error:')} ${error.message}\n${style.dim('  what to do:')} ${error.fix}\n`;
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
