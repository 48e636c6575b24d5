import { UserError } from '../../lib/errors.ts';
import { errorBodyOf } from './http-errors.ts';
import type { JsonLines } from './writing.ts';

/** An error after the answer has begun, as clients of JSON streams expect it. */
export function sendFailure(lines: JsonLines, error: unknown): void {
  const { message, code, fix } = errorBodyOf(error);
  const exitCode = error instanceof UserError ? error.details['exitCode'] : undefined;
  const number = typeof exitCode === 'number' ? { code: exitCode } : {};
  lines.send({
    errorDetail: { ...number, message },
    error: message,
    ...(code === undefined ? {} : { basculeError: { code, fix } }),
  });
}
