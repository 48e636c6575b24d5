import type { LaneId, TrafficState } from './traffic.ts';

/** The name of a lane by its number: `lane-007`. */
export function laneName(index: number): LaneId {
  return `lane-${String(index).padStart(3, '0')}`;
}

/**
 * Lanes that nobody uses: no instance, no route, not among `reserved` (those that open rollouts have written down).
 * The lowest numbers first; fewer than `count` when the pool is exhausted.
 */
export function freeLanes(
  state: Pick<TrafficState, 'lanes' | 'laneCount'>,
  count: number,
  reserved: ReadonlySet<LaneId> = new Set(),
): readonly LaneId[] {
  const used = new Set(state.lanes.map((lane) => lane.id));
  const free: LaneId[] = [];
  for (let index = 0; index < state.laneCount && free.length < count; index++) {
    const lane = laneName(index);
    if (!used.has(lane) && !reserved.has(lane)) free.push(lane);
  }
  return free;
}
