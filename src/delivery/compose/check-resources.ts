import type { DraftService, Fail } from './draft.ts';

/** Pairs of keys that say the same in two places, and must not say different things. */
export function checkResources([name, service]: readonly [string, DraftService], fail: Fail): void {
  const limits = service.deploy?.resources?.limits;
  const reservations = service.deploy?.resources?.reservations;
  const pairs = [
    ['scale', service.scale, 'deploy.replicas', service.deploy?.replicas],
    ['cpus', service.cpus, 'deploy.resources.limits.cpus', limits?.cpus],
    ['mem_limit', service.mem_limit, 'deploy.resources.limits.memory', limits?.memory],
    ['mem_reservation', service.mem_reservation, 'deploy.resources.reservations.memory', reservations?.memory],
    ['pids_limit', service.pids_limit, 'deploy.resources.limits.pids', limits?.pids],
  ] as const;
  for (const [key, value, other, otherValue] of pairs) {
    if (value === undefined || otherValue === undefined || value === otherValue) continue;
    throw fail(
      ['services', name, key],
      `${key} (${value}) and ${other} (${otherValue}) contradict each other`,
      'Keep one of the two.',
    );
  }
}
