import type { LaneId, PublishedPort } from '../../traffic/index.ts';

/**
 * What of a project is alive, as we know it: the release that serves and those that are kept warm, with the sets and
 * lanes of each. Plain JSON; changed only by the step `set-standing`.
 */
export interface Standing {
  readonly current?: LiveRelease;
  /** Newest first. */
  readonly warm: readonly WarmRelease[];
  readonly ports: readonly PublishedPort[];
  /** Releases below this number have lost their images: they cannot be rolled back to. */
  readonly prunedBelow: number;
}

export interface LiveRelease {
  readonly release: number;
  readonly sets: readonly SetRecord[];
}

export interface WarmRelease extends LiveRelease {
  /** When its traffic was taken away, milliseconds since 1970; null in a plan: when the plan comes to it. */
  readonly sinceMs: number | null;
  /** So long it stays warm; 0: it may go at once. */
  readonly keepMs: number;
  /** So long its open connections may go on, even beyond `keepMs`. */
  readonly drainMs: number;
  /** The rollout that took its traffic away: its ledger gets the last counters. */
  readonly rollout: number;
}

/** All instances of one service of one release; the releases that carry it over share it. */
export interface SetRecord {
  readonly service: string;
  /** The release that created its instances. */
  readonly origin: number;
  readonly identity: string;
  readonly ownIdentity: string;
  readonly stateful: boolean;
  readonly job: boolean;
  /** Its instances may end with success: jobs, and services that are not restarted. */
  readonly mayExit: boolean;
  /** Names, in the order of their index. */
  readonly instances: readonly string[];
  /** The network on which traffic reaches them; undefined: no network of its own. */
  readonly network?: string;
  /** Lane by container port, for each HTTP port that is published. */
  readonly lanes: Readonly<Record<string, LaneId>>;
  /** What it writes to: names of volumes and folders of the host. */
  readonly writes: readonly string[];
}

export const EMPTY_STANDING: Standing = { warm: [], ports: [], prunedBelow: 0 };

export function isEmptyStanding(standing: Standing): boolean {
  return standing.current === undefined && standing.warm.length === 0 && standing.ports.length === 0;
}

/** The releases that are alive: the current one first, then the warm ones. */
export function liveReleases(standing: Standing): readonly LiveRelease[] {
  return [...(standing.current === undefined ? [] : [standing.current]), ...standing.warm];
}

/** Each set once, those of the current release first. */
export function liveSets(standing: Standing): readonly SetRecord[] {
  const sets = new Map<string, SetRecord>();
  for (const live of liveReleases(standing)) {
    for (const set of live.sets) if (!sets.has(setKey(set))) sets.set(setKey(set), set);
  }
  return [...sets.values()];
}

export function setKey(set: Pick<SetRecord, 'service' | 'origin'>): string {
  return `${set.service}@${set.origin}`;
}

export function lanesOf(sets: readonly SetRecord[]): readonly LaneId[] {
  return sets.flatMap((set) => Object.values(set.lanes));
}
