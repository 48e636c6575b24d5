import { UserError } from '../../../lib/errors.ts';
import { errorAt } from '../dockerfile/source.ts';
import type { Step } from '../plan/plan.ts';
import type { Session } from './session.ts';

/** Says where in the Dockerfile something failed that knows only files. */
export async function located<T>(
  { session, step }: { readonly session: Session; readonly step: Step },
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
