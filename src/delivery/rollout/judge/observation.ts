import { messageOf } from '../../../lib/errors.ts';
import type { Log } from '../../../lib/log.ts';
import type { RouteId, RouteShare, Traffic } from '../../traffic/index.ts';
import type { Controls } from '../steer/controls.ts';
import type { Journal, RolloutRecord } from '../execute/journal.ts';
import type { ProjectLocks } from '../execute/locks.ts';
import { isBackground } from '../outcome.ts';
import { routeOf } from '../plan/plan.ts';
import type { ProgressBoard } from './progress-board.ts';
import type { Collector, LaneRole, LaneSide } from './samples.ts';
import type { LiveRelease, Standing } from '../plan/standing.ts';

/** Has the requests of a project's routes reported while a rollout of it runs, and for a while after it. */
export interface Observation {
  /** While a rollout is planned, which `begin` then need not do any more. Nothing comes of it: ends by itself. */
  prepare(project: string): Promise<void>;
  /** Before the first step. Known already: goes on. */
  begin(record: RolloutRecord): Promise<void>;
  /** After the last one. */
  ended(record: RolloutRecord): void;
  /** Routes that a daemon that was killed left observed. */
  settle(): Promise<void>;
  close(): void;
}

export interface ObservationOptions {
  readonly traffic: Pick<Traffic, 'setRoutes' | 'observe'>;
  readonly journal: Journal;
  readonly locks: ProjectLocks;
  readonly collector: Collector;
  readonly controls: Controls;
  readonly board: ProgressBoard;
  readonly log: Log;
  now(): Date;
}

/** So long the requests after a switch are looked at: what the new release does to them shows itself. */
const AFTER_MS = 30_000;
const SAVE_MS = 1_000;

export function createObservation(o: ObservationOptions): Observation {
  const timers = new Map<string, NodeJS.Timeout>();
  /** Projects whose routes report their requests, as far as this daemon knows. */
  const observed = new Set<string>();
  const saving = setInterval(() => {
    try {
      o.collector.flush();
      o.board.flush();
    } catch (error) {
      // A full disk, for instance: the next second tries again.
      o.log.warn({ err: error }, `what was seen of requests could not be written down: ${messageOf(error)}`);
    }
  }, SAVE_MS);
  saving.unref();

  const stop = (project: string): void => {
    clearTimeout(timers.get(project));
    timers.delete(project);
  };
  const endLater = (project: string, onDue: () => void): void => {
    stop(project);
    const timer = setTimeout(() => {
      timers.delete(project);
      onDue();
      void observeNoMore(o, { project, observed });
    }, AFTER_MS);
    timer.unref();
    timers.set(project, timer);
  };
  const observe = async (project: string, standing: Standing): Promise<void> => {
    if (observed.has(project)) return;
    try {
      if (await setObserved(o.traffic, standing)) observed.add(project);
    } catch (error) {
      said(o.log, project, error);
    }
  };
  return {
    prepare: async (project) => {
      if (!timers.has(project)) endLater(project, () => {});
      await observe(project, o.journal.standing(project));
    },
    begin: async (record) => {
      if (isBackground(record.kind)) return;
      const { project, number: rollout } = record;
      stop(project);
      const standing = o.journal.standing(project);
      o.collector.begin({ project, rollout }, rolesOf(standing.current, nextOf(o.journal, record)));
      if (o.journal.steps(project, rollout).some(({ outcome }) => outcome !== 'pending')) return;
      await observe(project, standing);
    },
    ended: (record) => {
      const key = { project: record.project, rollout: record.number };
      o.collector.flush();
      o.board.forget(key);
      o.controls.forget(key);
      if (!isBackground(record.kind)) endLater(key.project, () => o.collector.end(key));
    },
    settle: async () => {
      for (const project of o.journal.standingProjects()) await observeNoMore(o, { project, observed });
    },
    close: () => {
      clearInterval(saving);
      for (const project of timers.keys()) stop(project);
      o.collector.close();
      o.board.flush();
    },
  };
}

function nextOf(journal: Journal, { project, number }: RolloutRecord): LiveRelease | undefined {
  const standings = journal
    .steps(project, number)
    .flatMap(({ step, undoing }) => (step.kind === 'set-standing' && !undoing ? [step.standing] : []));
  return standings.at(-1)?.current;
}

/** The lanes of the release before and of the one after. */
function rolesOf(before: LiveRelease | undefined, after: LiveRelease | undefined): readonly LaneRole[] {
  const old = lanesOf(before, 'stable');
  const roles = new Map(old.map((role) => [role.lane, role]));
  for (const role of lanesOf(after, 'candidate'))
    roles.set(role.lane, roles.has(role.lane) ? { ...role, side: 'carried' } : role);
  return [...roles.values()];
}

function lanesOf(live: LiveRelease | undefined, side: LaneSide): readonly LaneRole[] {
  return (live?.sets ?? []).flatMap(({ service, origin, lanes }) =>
    Object.values(lanes).map((lane) => ({ lane, service, release: origin, side })),
  );
}

/** The routes of the release that serves, all of them on its own lanes. */
function sharesOf({ current, ports }: Standing, project: string, observed: boolean): ReadonlyMap<RouteId, RouteShare> {
  const published = new Set(ports.filter(({ protocol }) => protocol === 'http').map(({ route }) => route));
  const shares = (current?.sets ?? []).flatMap(({ service, lanes }) =>
    Object.entries(lanes).map(([port, stable]) => {
      const share: RouteShare = { stable, candidate: null, weight: 0, ...(observed ? { observed } : {}) };
      return [routeOf(project, service, Number(port)), share] as const;
    }),
  );
  return new Map(shares.filter(([route]) => published.has(route)));
}

/** False where there is no route. */
async function setObserved(traffic: Pick<Traffic, 'setRoutes'>, standing: Standing): Promise<boolean> {
  const project = standing.ports[0]?.route.split('/')[0];
  const shares = project === undefined ? new Map<RouteId, RouteShare>() : sharesOf(standing, project, true);
  if (shares.size > 0) await traffic.setRoutes(shares);
  return shares.size > 0;
}

/** Held like any work in the background, so that no rollout moves the routes meanwhile. */
async function observeNoMore(
  o: ObservationOptions,
  { project, observed }: { readonly project: string; readonly observed: Set<string> },
): Promise<void> {
  const isBusy = (): boolean => o.locks.running(project) !== undefined;
  if (isBusy()) return;
  const who = { kind: 'retire', author: 'bascule', startedAt: o.now() } as const;
  const work = async (): Promise<void> => {
    observed.delete(project);
    const { routes } = await o.traffic.observe();
    const shares = sharesOf(o.journal.standing(project), project, false);
    const isObserved = [...shares].some(([route, { stable }]) => {
      const share = routes.get(route);
      return share?.observed === true && share.stable === stable && share.candidate === null;
    });
    if (isObserved) await o.traffic.setRoutes(shares);
  };
  await o.locks.hold(project, who, work).catch((error: unknown) => said(o.log, project, error));
}

function said(log: Log, project: string, error: unknown): void {
  log.warn({ project, err: error }, `requests are not observed as they should be: ${messageOf(error)}`);
}
