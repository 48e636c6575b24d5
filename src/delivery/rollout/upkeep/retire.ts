import { messageOf } from '../../../lib/errors.ts';
import { portProtocol } from '../../compose/index.ts';
import type { ObservedInstance } from '../../fleet/index.ts';
import type { Release } from '../../release/index.ts';
import type { TrafficState } from '../../traffic/index.ts';
import { readAfter } from '../ledger/lane-readings.ts';
import type { Parts } from '../parts.ts';
import { planRetire } from '../plan/retire.ts';
import { collectFiles } from './look-after-files.ts';
import { lookAround } from '../plan/planning.ts';
import { runAside } from '../execute/run-aside.ts';
import { runPlan } from '../execute/run-rollout.ts';
import { lanesOf, liveReleases, setKey, type SetRecord, type Standing, type WarmRelease } from '../plan/standing.ts';

/** Retires releases whose time is over, and clears away what a crash left behind. */
export interface Retirer {
  /** Something was rolled out: what is due there goes before anybody else may hold the project. */
  wake(project: string): void;
  /** Looks at every project now. `sweep`: also where nothing is due. */
  lookAtAll(sweep: boolean): Promise<void>;
  close(): Promise<void>;
}

const DRAIN_POLL_MS = 1_000;
const LONGEST_MS = 60_000;
const LAST_REQUESTS_MS = 1_000;

/** A timer that survives restarts, because what is due stands in the standing. */
export function createRetirer(parts: Parts): Retirer {
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  const woken = new Set<Promise<void>>();
  let isCollected = true;

  const retire = async (project: string, sweep: boolean): Promise<void> => {
    if (parts.stopping.aborted) return;
    await retireProject(parts, project, sweep).catch((error: unknown) => {
      parts.log.error({ project, err: error }, `could not retire: ${messageOf(error)}`);
    });
  };
  const look = async (sweep: boolean): Promise<void> => {
    for (const project of parts.journal.standingProjects()) await retire(project, sweep);
    isCollected = collectFiles(parts);
  };
  const lookAtAll = async (sweep: boolean): Promise<void> => {
    await looking;
    looking = look(sweep)
      .catch((error: unknown) => {
        if (!parts.stopping.aborted)
          parts.log.error({ err: error }, `could not look after releases: ${messageOf(error)}`);
      })
      .finally(() => {
        looking = undefined;
        if (!parts.stopping.aborted) schedule();
      });
    await looking;
  };
  const schedule = (): void => {
    clearTimeout(timer);
    const dueMs = nextDueMs(parts);
    if (parts.stopping.aborted || (dueMs === undefined && isCollected)) return;
    timer = setTimeout(() => void lookAtAll(false), isCollected ? dueMs : DRAIN_POLL_MS);
    timer.unref();
  };
  return {
    wake: (project) => {
      isCollected = false;
      const work = retire(project, false).finally(() => {
        woken.delete(work);
        schedule();
      });
      woken.add(work);
    },
    lookAtAll,
    close: async () => {
      clearTimeout(timer);
      await Promise.all([looking, ...woken]);
    },
  };
}

/** Milliseconds until a project is to be looked at again. */
function nextDueMs({ journal, now }: Parts): number | undefined {
  const nowMs = now().getTime();
  const dues = journal
    .standingProjects()
    .flatMap((project) => journal.standing(project).warm)
    .map((warm) => Math.max(DRAIN_POLL_MS, dueAt(warm, nowMs) - nowMs));
  return dues.length === 0 ? undefined : Math.min(LONGEST_MS, ...dues);
}

/**
 * Retires what is due, and takes away what no live release needs. It holds the project for a moment; instances are
 * stopped and removed beside whatever comes next.
 */
async function retireProject(parts: Parts, project: string, sweep: boolean): Promise<void> {
  if (parts.locks.running(project) !== undefined) return;
  const isDue = overdue(parts, parts.journal.standing(project)).length > 0;
  if (!isDue && !sweep) return;
  const startedAt = parts.now();
  await parts.locks.hold(project, { kind: 'retire', author: 'bascule', startedAt }, async (running) => {
    await parts.asides.cleared(project, 'heal', parts.stopping);
    const { observed, state, standing } = await lookAround(parts, project);
    const leaving = overdue(parts, standing).filter((warm) => isDrained(parts, { standing, warm, state, project }));
    const staying = { ...standing, warm: standing.warm.filter((warm) => !leaving.includes(warm)) };
    const pruned = sweep || leaving.length > 0 ? prunable(parts, project, staying) : [];
    const plan = planRetire({
      project,
      standing,
      observed,
      leaving: new Set(leaving.map(({ release }) => release)),
      pruned,
      releases: makersOf(parts, project, observed.fleet.instances),
      leavingAlready: parts.asides.names(project),
    });
    if (plan.unchanged) return;
    for (const warm of leaving) await lastReading(parts, project, warm);
    await runAside(parts, {
      project,
      steps: plan.waves.flat(),
      begin: (watch) => {
        const work = runPlan(parts, { plan, running, watch });
        return { rollout: running.rollout, work };
      },
    });
  });
}

/** The releases that made these instances. */
export function makersOf(
  { releases }: Pick<Parts, 'releases'>,
  project: string,
  instances: readonly ObservedInstance[],
): ReadonlyMap<number, Release> {
  const numbers = [...new Set(instances.map(({ release }) => release))];
  const found = numbers.map((number) => [number, releases.find(project, number)] as const);
  return new Map(found.flatMap(([number, release]) => (release === undefined ? [] : [[number, release] as const])));
}

function overdue({ now }: Parts, standing: Standing): readonly WarmRelease[] {
  const nowMs = now().getTime();
  return standing.warm.filter((warm) => dueAt(warm, nowMs) <= nowMs);
}

/** What has just lost its traffic may be about to get the last of its requests. */
function dueAt({ sinceMs, keepMs }: WarmRelease, nowMs: number): number {
  return (sinceMs ?? nowMs) + Math.max(keepMs, LAST_REQUESTS_MS);
}

interface Leaving {
  readonly project: string;
  readonly standing: Standing;
  readonly warm: WarmRelease;
  readonly state: TrafficState;
}

/** Nobody is connected to it any more, or its connections have had their time. */
function isDrained(parts: Parts, { project, standing, warm, state }: Leaving): boolean {
  if ((warm.sinceMs ?? 0) + warm.drainMs <= parts.now().getTime()) return true;
  const own = ownSets(standing, warm);
  const lanes = new Set(lanesOf(own));
  const sessions = state.lanes.filter(({ id }) => lanes.has(id)).reduce((sum, lane) => sum + lane.sessions, 0);
  return sessions === 0 && !own.some((set) => hasTcpPort(parts.releases.find(project, warm.release), set));
}

/** Sets that leave with this release: no other live one uses them. */
function ownSets(standing: Standing, warm: WarmRelease): readonly SetRecord[] {
  const others = liveReleases(standing).filter(({ release }) => release !== warm.release);
  const used = new Set(others.flatMap(({ sets }) => sets.map(setKey)));
  return warm.sets.filter((set) => !used.has(setKey(set)));
}

/** TCP flows go past the proxy: nobody counts them, they get all of their time. */
function hasTcpPort(release: Release | undefined, { service }: SetRecord): boolean {
  const model = release?.model.services[service];
  return (model?.ports ?? []).some((port) => portProtocol(port, model!) !== 'http');
}

/** The last word of the ledger on the lanes of a release that leaves. */
async function lastReading(parts: Parts, project: string, warm: WarmRelease): Promise<void> {
  const record = parts.journal.find(project, warm.rollout);
  if (record !== undefined) await readAfter(parts, record);
}

/** Releases that have served, lie behind the rollback window, and still hold images. */
function prunable({ journal, releases }: Parts, project: string, standing: Standing): readonly Release[] {
  const current = standing.current === undefined ? undefined : releases.find(project, standing.current.release);
  if (current === undefined) return [];
  const served = journal.served(project);
  const newest = releases.list(project).filter(({ number }) => served.has(number) && number < current.number);
  const window = newest.slice(0, current.model.settings.rollbackWindow).map(({ number }) => number);
  const live = liveReleases(standing).flatMap(({ release, sets }) => [release, ...sets.map(({ origin }) => origin)]);
  const cutoff = Math.min(current.number, ...window, ...live);
  return newest.filter(({ number }) => number < cutoff && number >= standing.prunedBelow);
}
