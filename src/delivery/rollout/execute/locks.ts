import { UserError } from '../../../lib/errors.ts';
import type { RunningRollout } from '../views.ts';
import { isBackground, type RolloutKind } from '../outcome.ts';

/** What runs on a project at this moment. */
export interface Running {
  kind: RolloutKind;
  author: string;
  startedAt: Date;
  /** Given when the plan is written down; 0 before. */
  rollout: number;
  from?: number;
  to?: number;
  step?: RunningRollout['step'];
  undoing: boolean;
  /** Somebody else than the one who waits for it may end it. */
  readonly cancel: AbortController;
  /** Who did. */
  cancelledBy?: string;
  /** Asks background work to end soon: a person waits. */
  stepAside?: () => void;
  /** Settled when it ends, in whatever way. */
  readonly ended: Promise<void>;
}

/** One rollout at a time on each project; what a timer does steps aside for what a person does. */
export class ProjectLocks {
  readonly #running = new Map<string, Running>();

  running(project: string): Running | undefined {
    return this.#running.get(project);
  }

  /** Nothing runs on any project. */
  isFree(): boolean {
    return this.#running.size === 0;
  }

  /** When everything that runs now has ended. */
  async allEnded(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ ended }) => ended));
  }

  /** @throws UserError `rollout-running` naming who, when and where it stands */
  async hold<T>(
    project: string,
    who: Pick<Running, 'kind' | 'author' | 'startedAt'>,
    work: (running: Running) => Promise<T>,
  ): Promise<T> {
    for (let other = this.running(project); other !== undefined; other = this.running(project)) {
      if (!isBackground(other.kind)) throw alreadyRunning(project, other);
      if (!isBackground(who.kind)) other.stepAside?.();
      await other.ended;
    }
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const running: Running = { ...who, rollout: 0, undoing: false, cancel: new AbortController(), ended };
    this.#running.set(project, running);
    try {
      return await work(running);
    } finally {
      this.#running.delete(project);
      resolve();
    }
  }
}

/** Of what goes on beside, and holds nothing. */
export function runningAlone(kind: RolloutKind, startedAt: Date): Running {
  const cancel = new AbortController();
  return { kind, author: 'bascule', startedAt, rollout: 0, undoing: false, cancel, ended: Promise.resolve() };
}

export function viewOf(running: Running | undefined): RunningRollout | undefined {
  if (running === undefined) return undefined;
  const { rollout, kind, author, startedAt, from, to, step, undoing } = running;
  return {
    rollout,
    kind,
    author,
    startedAt,
    undoing,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(step === undefined ? {} : { step }),
  };
}

function alreadyRunning(project: string, running: Running): UserError {
  const at = running.step === undefined ? 'preparing images' : `at step "${running.step.title}"`;
  return new UserError({
    code: 'rollout-running',
    kind: 'conflict',
    message: `a ${running.kind} of "${project}" is running: begun by ${running.author} at ${running.startedAt.toISOString()}, ${at}`,
    fix: 'Wait until it has ended (`bascule ps` shows it), or cancel it where it was begun.',
    details: { project, running: viewOf(running) },
  });
}
