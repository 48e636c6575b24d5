/** One service that is replaced in batches, counted in instances. */
export interface Roll {
  readonly service: string;
  /** Instances of the old release that live. */
  readonly old: number;
  /** Instances that the new release declares. */
  readonly replicas: number;
  /** So many are replaced at a time. */
  readonly parallelism: number;
  readonly maxUnavailable: number;
  readonly maxSurge: number;
  /** Somebody uses it at any moment: the last of the old may not leave before a new one is there. */
  readonly isUsed: boolean;
  /** Services of the same rollout that use it: its old instances stay while any old one of theirs does. */
  readonly usedBy: readonly string[];
}

/** What happens to one service in a round, in this order. */
export interface Move {
  readonly service: string;
  /** Old instances that make room first. */
  readonly before: number;
  readonly starting: number;
  /** Old instances that are not needed any more then. */
  readonly after: number;
}

/**
 * Batches of all services, in rounds: in each of them the new release grows by the same part in every service, and
 * the old one shrinks by it, so that both sides of each service can carry what reaches them. At no moment a service
 * has fewer instances than the lower of both numbers less `maxUnavailable`, nor more than the higher and `maxSurge`.
 */
export function roundsOf(rolls: readonly Roll[]): readonly (readonly Move[])[] {
  const states = rolls.map((roll) => new RollState(roll));
  const by = new Map(states.map((state) => [state.roll.service, state]));
  const isUsedByOld = ({ usedBy }: Roll): boolean => usedBy.some((name) => (by.get(name)?.old ?? 0) > 0);
  const length = Math.max(0, ...states.map((state) => state.rounds));
  const rounds: (readonly Move[])[] = [];
  for (let round = 1; states.some((state) => !state.isDone); round++) {
    const progress = { done: Math.min(round, length), of: length };
    const begun = states.map((state) => state.grow(progress, isUsedByOld(state.roll)));
    // Those that use others leave first.
    const left = states.toReversed().map((state) => state.shrink(progress, isUsedByOld));
    rounds.push(
      begun
        .map((move, index) => ({ ...move, after: left.at(-1 - index)! }))
        .filter((move) => move.before + move.starting + move.after > 0),
    );
  }
  return rounds.filter((round) => round.length > 0);
}

/** The part of the way that is behind: whole numbers, so that nothing is lost by rounding. */
interface Progress {
  readonly done: number;
  readonly of: number;
}

class RollState {
  readonly roll: Roll;
  old: number;
  #fresh = 0;

  constructor(roll: Roll) {
    this.roll = roll;
    this.old = roll.old;
  }

  get rounds(): number {
    return Math.ceil(Math.max(this.roll.old, this.roll.replicas) / this.roll.parallelism);
  }

  get isDone(): boolean {
    return this.old === 0 && this.#fresh === this.roll.replicas;
  }

  /** As many old ones as must make room, then a batch of new ones. */
  grow({ done, of }: Progress, isUsedByOld: boolean): Omit<Move, 'after'> {
    const { service, replicas, parallelism } = this.roll;
    const wanted = Math.min(parallelism, Math.ceil((replicas * done) / of) - this.#fresh);
    const present = this.old + this.#fresh;
    const before = clamp(
      present + wanted - this.#ceiling,
      Math.min(this.#mayLeave(isUsedByOld), present - this.#floor),
    );
    const starting = clamp(wanted, this.#ceiling - present + before);
    this.old -= before;
    this.#fresh += starting;
    return { service, before, starting };
  }

  /** Old ones whose part the new ones have taken. */
  shrink({ done, of }: Progress, isUsedByOld: (roll: Roll) => boolean): number {
    const { old, replicas } = this.roll;
    const kept = Math.max(Math.ceil((old * (of - done)) / of), Math.min(old, replicas) - this.#fresh);
    const after = clamp(this.old - kept, this.#mayLeave(isUsedByOld(this.roll)));
    this.old -= after;
    return after;
  }

  #mayLeave(isUsedByOld: boolean): number {
    return Math.min(this.roll.parallelism, this.old - (isUsedByOld ? 1 : 0));
  }

  /** Never fewer. */
  get #floor(): number {
    const { old, replicas, maxUnavailable, isUsed } = this.roll;
    return Math.max(isUsed ? 1 : 0, Math.min(old, replicas) - maxUnavailable);
  }

  /** Never more; but one that may not leave first must be followed by one that comes first. */
  get #ceiling(): number {
    const { old, replicas, maxSurge } = this.roll;
    const highest = Math.max(old, replicas) + maxSurge;
    return this.#floor >= highest ? this.#floor + 1 : highest;
  }
}

function clamp(value: number, most: number): number {
  return Math.max(0, Math.min(value, most));
}
