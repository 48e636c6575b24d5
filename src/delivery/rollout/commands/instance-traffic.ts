import { setTimeout as delay } from 'node:timers/promises';
import { UserError } from '../../../lib/errors.ts';
import { nearestWord } from '../../../lib/nearest.ts';
import type { ObservedInstance } from '../../fleet/index.ts';
import type { InstanceTrafficRequest } from '../face.ts';
import type { InstanceView } from '../views.ts';
import type { Parts } from '../parts.ts';
import { callHooks } from '../jobs/hooks.ts';
import { hooksOf } from '../plan/hooks.ts';
import { refreshTraffic } from '../upkeep/refresh-traffic.ts';
import { liveSets, type SetRecord } from '../plan/standing.ts';
import { projectView } from './views.ts';

/**
 * Takes an instance out of traffic without stopping it, or puts it back. It answers when the requests that ran have
 * ended, or when the drain deadline has passed: then they go on, nothing is cut.
 */
export async function setInstanceTraffic(parts: Parts, request: InstanceTrafficRequest): Promise<InstanceView> {
  const { project, instance, direction, author } = request;
  const standing = parts.journal.standing(project);
  const view = await projectView(parts, project);
  const set = liveSets(standing).find(({ instances }) => instances.includes(instance));
  if (set === undefined)
    throw instanceUnknown(
      project,
      instance,
      view.instances.map(({ name }) => name),
    );
  const seen = await parts.fleet.inspect(instance);
  if (seen?.state !== 'running') throw notRunning(instance, seen?.state ?? 'gone');
  const isOut = parts.withdrawn.of(project).get(instance)?.id === seen.id;
  if (direction === 'out') await withdraw(parts, { set, seen, author, isOut });
  else await enter(parts, { set, seen, author, isOut });
  await refreshTraffic(parts, standing, parts.locks.running(project) === undefined ? 'all' : 'lanes');
  if (direction === 'in')
    for (const lane of Object.values(set.lanes)) await parts.traffic.undrainInstance(lane, instance);
  if (direction === 'out') {
    const { drainMs } = parts.releases.get(project, set.origin).model.settings;
    await awaitEnd(parts, { set, instance, drainMs });
  }
  const after = await projectView(parts, project);
  return after.instances.find(({ name }) => name === instance)!;
}

interface Leaving {
  readonly set: SetRecord;
  readonly seen: ObservedInstance;
  readonly author: string;
  /** It is out already. */
  readonly isOut: boolean;
}

async function enter(parts: Parts, { set, seen, isOut }: Leaving): Promise<void> {
  if (isOut) await callOwnHooks(parts, { set, seen, hook: 'post_start' });
  parts.withdrawn.remove(seen.project, seen.name);
}

/** What has no lanes takes its work from elsewhere, from a queue for instance: its hooks know how to leave that. */
async function callOwnHooks(
  parts: Parts,
  { set, seen, hook }: Pick<Leaving, 'set' | 'seen'> & { readonly hook: 'post_start' | 'pre_stop' },
): Promise<void> {
  const release = parts.releases.get(seen.project, set.origin);
  if (Object.keys(set.lanes).length > 0 || hooksOf(release, set.service, hook).length === 0) return;
  await callHooks(parts, { release, service: set.service, instance: seen.name, hook, signal: parts.stopping });
}

/** Written down first: a restarted daemon does not put it back. */
async function withdraw(parts: Parts, { set, seen, author, isOut }: Leaving): Promise<void> {
  const { project, name: instance, id } = seen;
  await requireOthers(parts, set, seen);
  if (!isOut) await callOwnHooks(parts, { set, seen, hook: 'pre_stop' });
  parts.withdrawn.add({ project, instance, id, author, atMs: parts.now().getTime() });
  for (const lane of Object.values(set.lanes)) await parts.traffic.drainInstance(lane, instance);
}

/** The last instance that answers stays: without it nobody would. */
async function requireOthers({ traffic, withdrawn }: Parts, set: SetRecord, seen: ObservedInstance): Promise<void> {
  const out = withdrawn.of(seen.project);
  const others = set.instances.filter((name) => name !== seen.name && !out.has(name));
  const { lanes } = await traffic.observe();
  const serving = Object.values(set.lanes).every((id) =>
    lanes.find((lane) => lane.id === id)?.instances.some(({ name, state }) => others.includes(name) && state === 'up'),
  );
  if (others.length > 0 && serving) return;
  throw new UserError({
    code: 'last-instance',
    kind: 'conflict',
    message: `${seen.name} is the only instance of ${set.service} that takes requests: without it nobody would answer`,
    fix: `Start another one first: \`bascule scale ${set.service}=${set.instances.length + 1}\`.`,
    details: { instance: seen.name },
  });
}

const POLL_MS = 100;

/** Until nothing runs on it any more, at most until the declared deadline. */
async function awaitEnd(
  { traffic, now, stopping }: Parts,
  o: { readonly set: SetRecord; readonly instance: string; readonly drainMs: number },
): Promise<void> {
  const lanes = Object.values(o.set.lanes);
  const deadlineMs = now().getTime() + o.drainMs;
  while (now().getTime() < deadlineMs && !stopping.aborted) {
    const sessions = await traffic.sessions(lanes);
    if (lanes.every((lane) => (sessions.get(lane)?.get(o.instance) ?? 0) === 0)) return;
    await delay(POLL_MS, undefined, { signal: stopping }).catch(() => {});
  }
}

function instanceUnknown(project: string, instance: string, known: readonly string[]): UserError {
  const isThere = known.includes(instance);
  const near = isThere ? undefined : nearestWord(instance, known);
  return new UserError({
    code: isThere ? 'instance-not-serving' : 'instance-not-found',
    kind: isThere ? 'conflict' : 'not-found',
    message: isThere
      ? `${instance} belongs to a release that neither serves nor is kept warm: its rollout moves its traffic`
      : `"${project}" has no instance "${instance}"`,
    fix: near === undefined ? 'Run `bascule ps` to see which there are.' : `Did you mean "${near}"?`,
    details: { project, instance },
  });
}

function notRunning(instance: string, state: string): UserError {
  return new UserError({
    code: 'instance-not-running',
    kind: 'conflict',
    message: `${instance} does not run (it is ${state})`,
    fix: 'Look why: `bascule logs`. It is replaced by itself when it is gone for good.',
    details: { instance },
  });
}
