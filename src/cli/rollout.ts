import { UserError } from '../lib/errors.ts';
import type { Client, Onlooker, ProgressEvent, RolloutOutcome, Streamed } from '../server/client/index.ts';
import { exitCodeOfOutcome } from './exit-codes.ts';
import { renderOutcome } from './output/outcome.ts';
import { progressOn } from './output/progress.ts';
import type { Session } from './session.ts';
import type { StatusView } from './watch/beside.ts';

type Event = Streamed<ProgressEvent>;
type Planned = Extract<Event, { type: 'planned' }>;

interface Detached {
  readonly detached: Planned;
}

/**
 * Runs something that changes the world, showing its progress on standard error and its outcome on standard output.
 * The first Ctrl-C undoes it and waits for that; the second one leaves it to the daemon.
 * @param o.detach ends as soon as the plan is written down; the daemon carries it out
 */
export async function watchRollout(
  session: Session,
  client: Client,
  o: { readonly detach?: boolean; readonly start: (onlooker: Onlooker) => Promise<Streamed<RolloutOutcome>> },
): Promise<number> {
  const outcome = await watchWork<Streamed<RolloutOutcome> | Detached>(session, client, {
    start: o.start,
    detached: (planned) => ({ detached: planned }),
    isDetached: o.detach ?? false,
  });
  if ('detached' in outcome) return printDetached(session, outcome.detached);
  if (session.json) session.printJson(outcome);
  else session.print(renderOutcome(outcome, session.style));
  return exitCodeOfOutcome(outcome);
}

interface Work<T> {
  readonly start: (onlooker: Onlooker) => Promise<T>;
  /** What there is to say when the user looks on no longer. */
  readonly detached?: (planned: Planned) => T;
  /** The user does not look on from the beginning. */
  readonly isDetached?: boolean;
}

/** Like `watchRollout`, and gives what the work gave. */
export async function watchWork<T>(session: Session, client: Client, o: Work<T>): Promise<T> {
  using progress = progressOn(session.host.stderr, session);
  const looking = new AbortController();
  const { promise: left, reject, resolve } = Promise.withResolvers<T>();
  const seen: { planned?: Planned; view?: StatusView; interrupts: number } = { interrupts: 0 };
  const interrupt = (): void => {
    seen.interrupts += 1;
    if (seen.interrupts > 1) return reject(leftToDaemon());
    if (seen.view?.isShowing !== true) session.host.stderr.write(CANCELLING);
    void cancel(session, client, seen.planned?.project ?? session.options.projectName);
  };
  using _interrupts = session.host.onInterrupt(interrupt);
  const take = async (event: Event): Promise<void> => {
    if (seen.view?.isShowing !== true) progress.show(event);
    if (event.type !== 'planned') return;
    seen.planned = event;
    const leave = (): void => {
      if (o.detached !== undefined) resolve(o.detached(event));
    };
    if (o.isDetached === true) return leave();
    if (session.json || !isLookedAt(event)) return;
    const { viewBeside } = await import('./watch/beside.ts');
    seen.view = viewBeside(session, { client, planned: event, progress, interrupt, leave });
  };
  try {
    return await Promise.race([o.start({ onEvent: (event) => void take(event), signal: looking.signal }), left]);
  } finally {
    await seen.view?.end();
    looking.abort(); // else an answer that nobody reads would keep this process
  }
}

/** Both releases serve side by side for a while: there is something to see. */
function isLookedAt({ steps }: Planned): boolean {
  return steps.some(({ kind }) => kind === 'analyse');
}

function printDetached(session: Session, { project, rollout, kind, from, to }: Planned): number {
  if (session.json) session.printJson({ project, rollout, kind, from, to, detached: true });
  else session.print(`rollout ${rollout} of ${project} goes on in the daemon: \`bascule rollout watch\` shows it\n`);
  return 0;
}

const CANCELLING = '\ncancelling: what was begun is undone, what serves keeps serving (Ctrl-C again leaves)\n';

async function cancel(session: Session, client: Client, project: string | undefined): Promise<void> {
  try {
    await client.cancel(project ?? (await session.project(client)));
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    session.host.stderr.write(`${error.message}\n`);
  }
}

function leftToDaemon(): UserError {
  return new UserError({
    code: 'left',
    kind: 'cancelled',
    message: 'left; the daemon goes on undoing what was begun',
    fix: '`bascule ps` shows when it is done.',
  });
}
