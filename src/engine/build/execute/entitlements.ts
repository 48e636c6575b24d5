import { errorAt } from '../dockerfile/source.ts';
import type { BuildRequest } from '../face.ts';
import type { BuildPlan } from '../plan/plan.ts';

/**
 * A Dockerfile takes no privileges that whoever builds it did not give: before anything is done, so that it does not
 * depend on what is cached.
 * @throws UserError `entitlement-missing`
 */
export function refuseUnallowed(plan: BuildPlan, { entitlements = [] }: BuildRequest): void {
  if (entitlements.includes('security.insecure')) return;
  for (const step of plan.stages.flatMap(({ steps }) => steps)) {
    if (step.action.kind !== 'run' || step.action.security !== 'insecure') continue;
    throw errorAt(plan.source, step.position, {
      code: 'entitlement-missing',
      message: 'RUN --security=insecure has all privileges on this machine, and this build may not give them',
      fix: 'If you trust this Dockerfile and all it runs, allow it: --allow security.insecure',
    });
  }
}
