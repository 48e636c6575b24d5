import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../../lib/errors.ts';
import type { Parts } from '../parts.ts';
import { followTcp } from './follow-tcp.ts';
import { refreshTraffic } from './refresh-traffic.ts';
import { liveSets } from '../plan/standing.ts';

const RECONNECT_MS = 1_000;

/**
 * While the daemon runs: an instance that was restarted keeps its place in the traffic, whatever its address is.
 * @param onTrouble something happened to an instance that may have to be replaced
 */
export async function watchFleet(parts: Parts, onTrouble: (project: string) => void): Promise<void> {
  while (!parts.stopping.aborted) {
    try {
      await followEvents(parts, onTrouble);
    } catch (error) {
      if (!parts.stopping.aborted) parts.log.warn({ err: error }, `the engine's events broke off: ${messageOf(error)}`);
    }
    await delay(RECONNECT_MS, undefined, { signal: parts.stopping, ref: false }).catch(() => {});
    if (parts.stopping.aborted) return;
    await refreshAll(parts);
    for (const project of parts.journal.standingProjects()) onTrouble(project);
  }
}

async function followEvents(parts: Parts, onTrouble: (project: string) => void): Promise<void> {
  for await (const event of parts.fleet.events(parts.stopping)) {
    if (!isAliveThere(parts, event.project, event.instance)) continue;
    if (isTrouble(event.action)) onTrouble(event.project);
    if (event.action === 'start' || event.action === 'die') await refreshProject(parts, event.project);
  }
}

/** Docker's words; a change of health is `health_status: unhealthy`. */
function isTrouble(action: string): boolean {
  return action === 'die' || action === 'destroy' || action === 'oom' || action.endsWith('unhealthy');
}

/** Candidates are their rollout's business. */
function isAliveThere({ journal }: Parts, project: string, instance: string): boolean {
  return liveSets(journal.standing(project)).some(({ instances }) => instances.includes(instance));
}

export async function refreshAll(parts: Parts): Promise<void> {
  for (const project of parts.journal.standingProjects()) await refreshProject(parts, project);
}

/** A rollout moves TCP routes itself; whoever is being replaced beside it comes into them when it is healthy. */
async function refreshProject(parts: Parts, project: string): Promise<void> {
  const standing = parts.journal.standing(project);
  const extent = parts.locks.running(project) === undefined ? 'all' : 'lanes';
  const isHealing = parts.asides.of(project).some(({ kind }) => kind === 'heal');
  if (standing.current === undefined) return;
  try {
    await refreshTraffic(parts, standing, extent);
    if (extent === 'lanes' && !isHealing) await followTcp(parts, project);
  } catch (error) {
    parts.log.warn({ project, err: error }, `could not follow addresses: ${messageOf(error)}`);
  }
}
