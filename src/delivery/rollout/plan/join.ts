import { attachmentsOf } from '../../fleet/index.ts';
import type { Release } from '../../release/index.ts';
import { stepEach } from './plan.ts';
import type { SetRecord } from './standing.ts';
import type { Step } from './step.ts';

/** Connects a set to the networks of a release, where it is not on them already. */
export function joinSteps(
  release: Release | undefined,
  set: Pick<SetRecord, 'service' | 'instances'>,
  cause: string,
  on: readonly string[] = [],
): readonly Step[] {
  if (release === undefined || !(set.service in release.model.services)) return [];
  return attachmentsOf(release.model, release.number, set.service)
    .filter(({ network }) => !on.includes(network))
    .flatMap(({ network, aliases }) => stepEach(cause, set.instances, [{ kind: 'connect-network', network, aliases }]));
}
