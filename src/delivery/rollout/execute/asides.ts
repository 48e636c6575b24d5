import { setTimeout as delay } from 'node:timers/promises';
import type { Step } from '../plan/step.ts';

/** Work of a project in the background that goes on while others hold the project. */
export interface Aside {
  readonly kind: 'retire' | 'heal';
  /** Its number in the project's journal. */
  readonly rollout: number;
  /** Instances and networks that it takes away. */
  readonly names: ReadonlySet<string>;
  /** Releases that made them. */
  readonly releases: ReadonlySet<number>;
  /** Somebody among them may still write to a volume. */
  readonly writes: boolean;
  /** Asks it to end soon: somebody waits. */
  stepAside?(): void;
  /** Fulfilled when it has ended, in whatever way. */
  readonly ended: Promise<void>;
}

/** Who waits for what goes on beside: a rollback for the release that it wants; `all`: for everything. */
export type Waiting = { readonly release?: number } | 'heal' | 'all';

/**
 * What goes on beside the rollouts of each project. A retirement touches only what no live release names: nobody has
 * to wait for it but a rollback to the very release that leaves, and whoever might write where something still writes.
 * What heals goes on beside a rollout that does not touch its instance; it is asked to end before anything is planned.
 */
export class Asides {
  readonly #of = new Map<string, Set<Aside>>();

  add(project: string, aside: Aside): void {
    const all = this.#of.get(project) ?? new Set();
    this.#of.set(project, all.add(aside));
    void aside.ended.then(() => {
      all.delete(aside);
      if (all.size === 0 && this.#of.get(project) === all) this.#of.delete(project);
    });
  }

  isFree(): boolean {
    return this.#of.size === 0;
  }

  of(project: string): readonly Aside[] {
    return [...(this.#of.get(project) ?? [])];
  }

  /** Instances and networks that somebody is taking away already. */
  names(project: string): ReadonlySet<string> {
    return new Set(this.of(project).flatMap(({ names }) => [...names]));
  }

  /** When nothing is in the way any more; at once when the signal fires. */
  async cleared(project: string, waiting: Waiting, signal: AbortSignal): Promise<void> {
    const inTheWay = this.of(project).filter((each) => isInTheWay(each, waiting));
    if (inTheWay.length === 0 || signal.aborted) return;
    for (const each of inTheWay) each.stepAside?.();
    const done = new AbortController();
    const given = delay(LONGEST_TIMER_MS, undefined, { signal: AbortSignal.any([signal, done.signal]) }).catch(
      () => {},
    );
    await Promise.race([Promise.all(inTheWay.map(({ ended }) => ended)), given]);
    done.abort();
  }

  async allEnded(): Promise<void> {
    await Promise.all([...this.#of.values()].flatMap((all) => [...all].map(({ ended }) => ended)));
  }
}

const LONGEST_TIMER_MS = 2 ** 31 - 1;

function isInTheWay({ kind, writes, releases }: Aside, waiting: Waiting): boolean {
  if (waiting === 'all' || kind === 'heal') return true;
  if (waiting === 'heal') return false;
  if (writes) return true;
  return waiting.release !== undefined && releases.has(waiting.release);
}

/** What the steps of a retirement take away. */
export function takenAwayBy(steps: readonly Step[]): Pick<Aside, 'names' | 'releases' | 'writes'> {
  const leaving = steps.flatMap((each) => ('leaving' in each && each.leaving !== undefined ? [each.leaving] : []));
  return {
    names: new Set(
      steps.flatMap((each) =>
        each.kind === 'remove-instance' ? [each.instance] : each.kind === 'remove-network' ? [each.network] : [],
      ),
    ),
    releases: new Set([
      ...leaving.map(({ release }) => release),
      ...steps.flatMap((each) => (each.kind === 'remove-network' ? (each.release ?? []) : [])),
    ]),
    writes: leaving.some(({ writes }) => writes),
  };
}
