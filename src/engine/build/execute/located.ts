import { UserError } from '../../../lib/errors.ts';
import { errorAt } from '../dockerfile/source.ts';
import type { Performance } from './performance.ts';

/** Says where in the Dockerfile something failed that knows only files. */
export async function located<T>(
  { session, step }: Pick<Performance, 'session' | 'step'>,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof UserError) || error.details['line'] !== undefined) throw error;
    const { code, kind, message, fix } = error;
    throw errorAt(session.plan.source, step.position, { code, kind, message, fix, cause: error });
  }
}
