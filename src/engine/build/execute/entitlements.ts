import { errorAt } from '../dockerfile/source.ts';
import type { BuildRequest } from '../face.ts';
import type { BuildPlan, Step } from '../plan/plan.ts';

/**
 * A Dockerfile, and what its bases ask for with ONBUILD, takes no privileges that whoever builds it did not give: before
 * anything is done, so that it does not depend on what is cached.
 * @throws UserError `entitlement-missing`
 */
export function refuseUnallowed(plan: BuildPlan, { entitlements = [], networkMode }: BuildRequest): void {
  const isInsecureAllowed = entitlements.includes('security.insecure');
  const isHostAllowed = entitlements.includes('network.host') || networkMode === 'host';
  for (const step of plan.stages.flatMap(({ steps }) => steps)) {
    if (step.action.kind !== 'run') continue;
    if (step.action.security === 'insecure' && !isInsecureAllowed) throw refused(plan, step, INSECURE);
    if (step.action.network === 'host' && !isHostAllowed) throw refused(plan, step, HOST);
  }
}

const INSECURE = {
  message: 'RUN --security=insecure has all privileges on this machine, and this build may not give them',
  fix: 'If you trust this Dockerfile and all it runs, allow it: --allow security.insecure',
};
const HOST = {
  message: 'RUN --network=host reaches all that listens on this machine, and this build may not give it',
  fix: 'If you trust this Dockerfile and all it runs, allow it: --allow network.host (or --network host for all steps)',
};

function refused(plan: BuildPlan, step: Step, words: typeof INSECURE): Error {
  return errorAt(plan.source, step.position, { code: 'entitlement-missing', ...words });
}
