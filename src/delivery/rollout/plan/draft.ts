import type { DeployInput } from './plan.ts';
import { type RouteChanges, routeChanges } from './routes.ts';
import { type Scene, sceneOf } from './scene.ts';
import { type PlacedSet, placeSets } from './sets.ts';
import { type SetRecord, setKey } from './standing.ts';
import type { Step } from './step.ts';

/** What is decided before a strategy says in which order it is done. */
export interface Draft {
  readonly scene: Scene;
  readonly sets: ReadonlyMap<string, PlacedSet>;
  readonly placed: readonly PlacedSet[];
  /** Sets that must be stopped before the fresh set of a service may start; only stateful services have any. */
  readonly predecessors: ReadonlyMap<string, readonly SetRecord[]>;
  readonly changes: RouteChanges;
}

export type Waves = readonly (readonly Step[])[];

export function draftOf(input: DeployInput): Draft {
  const scene = sceneOf(input);
  const sets = placeSets(scene);
  const placed = [...sets.values()];
  const changes = routeChanges(scene, sets);
  return { scene, sets, placed, changes, predecessors: predecessorsOf(scene, placed) };
}

/**
 * They write where a fresh stateful set writes, and are its own predecessors or belong to a service that is no more.
 */
function predecessorsOf(scene: Scene, placed: readonly PlacedSet[]): Draft['predecessors'] {
  const kept = new Set(placed.map(({ record }) => setKey(record)));
  const live = [...scene.liveBy.values()].flat().filter((set) => !kept.has(setKey(set)) && mayRun(scene, set));
  const gone = live.filter(({ service }) => !(service in scene.target.services));
  const fresh = placed.filter((set) => set.fresh && set.record.stateful);
  return new Map(
    fresh.flatMap(({ record }) => {
      const own = live.filter(({ service, stateful }) => service === record.service && stateful);
      const others = gone.filter(({ writes }) => writes.some((where) => record.writes.includes(where)));
      return own.length + others.length === 0 ? [] : [[record.service, [...own, ...others]] as const];
    }),
  );
}

/** It runs, or the engine may start it again at any moment. */
function mayRun({ instances }: Scene, set: SetRecord): boolean {
  return set.instances.some((name) => {
    const state = instances.get(name)?.state;
    return state === 'running' || state === 'restarting' || state === 'paused';
  });
}
