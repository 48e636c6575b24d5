import { engineUnavailable } from '../../../lib/engine-unavailable.ts';
import { saidBy } from '../../../lib/engine-answer.ts';
import { UserError } from '../../../lib/errors.ts';

/** HTTP status of an answer that the engine gave instead of success; undefined for anything else that was thrown. */
function statusOf(error: unknown): number | undefined {
  const status = (error as { readonly statusCode?: unknown } | null)?.statusCode;
  return typeof status === 'number' ? status : undefined;
}

/** One call to the engine; its refusals become errors that a user can act on. */
export async function call<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw explained(what, error);
  }
}

/** Like `call`, but these statuses mean that there is nothing to do. */
export async function callUnless(
  accepted: readonly number[],
  what: string,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    const status = statusOf(error);
    if (status === undefined || !accepted.includes(status)) throw explained(what, error);
  }
}

/** Like `call`, but a 404 is undefined. */
export async function callIfThere<T>(what: string, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (statusOf(error) === 404) return undefined;
    throw explained(what, error);
  }
}

export function explained(what: string, cause: unknown): unknown {
  if (cause instanceof UserError) return cause;
  const status = statusOf(cause);
  if (status !== undefined) return refused(what, cause, status);
  return engineUnavailable({ what, cause }) ?? cause;
}

function refused(what: string, cause: unknown, status: number): UserError {
  const kind = status === 404 ? 'not-found' : status === 409 ? 'conflict' : status === 400 ? 'invalid' : 'failed';
  return new UserError({
    code: 'engine-refused',
    kind,
    message: `cannot ${what}: ${saidBy(cause)}`,
    fix: "The message is the container engine's own; correct what it names and try again.",
    cause,
    details: { status },
  });
}
