import { UserError } from '../lib/errors.ts';
import type { Client, ProgressEvent, RolloutOutcome, Streamed } from '../server/client/index.ts';
import { renderOutcome } from './output/outcome.ts';
import { progressOn } from './output/progress.ts';
import type { Session } from './session.ts';

type OnEvent = (event: Streamed<ProgressEvent>) => void;

/**
 * Runs something that changes the world, showing its progress on standard error and its outcome on standard output.
 * The first Ctrl-C undoes it and waits for that; the second one leaves it to the daemon.
 */
export async function watchRollout(
  session: Session,
  client: Client,
  start: (onEvent: OnEvent) => Promise<Streamed<RolloutOutcome>>,
): Promise<number> {
  const outcome = await watchWork(session, client, start);
  if (session.json) session.printJson(outcome);
  else session.print(renderOutcome(outcome, session.style));
  return 0;
}

/** Like `watchRollout`, and gives what the work gave. */
export async function watchWork<T>(
  session: Session,
  client: Client,
  start: (onEvent: OnEvent) => Promise<T>,
): Promise<T> {
  using progress = progressOn(session.host.stderr, session);
  let project = session.options.projectName;
  const { promise: left, reject: leave } = Promise.withResolvers<never>();
  let interrupts = 0;
  using _interrupts = session.host.onInterrupt(() => {
    interrupts += 1;
    if (interrupts > 1) leave(leftToDaemon());
    else void cancel(session, client, project);
  });
  const work = start((event) => {
    if (event.type === 'planned') project = event.project;
    progress.show(event);
  });
  return await Promise.race([work, left]); // awaited here: progress and interrupts end only then
}

async function cancel(session: Session, client: Client, project: string | undefined): Promise<void> {
  session.host.stderr.write(
    '\ncancelling: what was begun is undone, what serves keeps serving (Ctrl-C again leaves)\n',
  );
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
