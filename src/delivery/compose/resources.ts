import type { Service } from './service.ts';

/** A service's limits out of both places where Compose has them; bytes as numbers. */
export interface ResolvedResources {
  readonly cpus?: number;
  readonly memoryBytes?: number;
  readonly memoryReservationBytes?: number;
  readonly pids?: number;
}

/** `deploy.resources`, else the older service keys. */
export function resourcesOf(
  service: Pick<Service, 'deploy' | 'cpus' | 'mem_limit' | 'mem_reservation' | 'pids_limit'>,
): ResolvedResources {
  const { limits, reservations } = service.deploy?.resources ?? {};
  const cpus = limits?.cpus ?? service.cpus;
  const memory = limits?.memory ?? service.mem_limit;
  const reservation = reservations?.memory ?? service.mem_reservation;
  const pids = limits?.pids ?? service.pids_limit;
  return {
    ...(cpus !== undefined && { cpus }),
    ...(memory !== undefined && { memoryBytes: Number(memory) }),
    ...(reservation !== undefined && { memoryReservationBytes: Number(reservation) }),
    ...(pids !== undefined && { pids }),
  };
}

/** How many instances are asked for: `deploy.replicas`, else `scale`, else 1. */
export function replicasOf(service: Pick<Service, 'deploy' | 'scale'>): number {
  return service.deploy?.replicas ?? service.scale ?? 1;
}
