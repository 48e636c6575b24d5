import type { Client } from '../../server/client/index.ts';
import { exitCodeOfFailure, exitCodeOfOutcome } from '../exit-codes.ts';
import { renderLosses } from '../output/outcome.ts';
import type { Session } from '../session.ts';
import { followStatus, lastingStatuses, printerOf } from './follow.ts';
import { showLive, type Ending } from './live-view.ts';
import type { Status } from './status.ts';

const EXIT_INTERRUPTED = 130;

/** Follows the rollout of a project to its end; the exit code is that of the rollout. */
export async function watch(session: Session): Promise<number> {
  const client = await session.connect();
  const project = await session.project(client);
  const isLive = session.host.stdout.isTTY === true && !session.json;
  const { ending, status } = isLive
    ? await showLive(session, {
        client,
        project,
        terminal: session.host.stdout,
        statuses: (signal) => lastingStatuses(session, client, { project, signal }),
        signal: new AbortController().signal,
      })
    : await printLines(session, client, project);
  if (ending !== 'ended') return ending === 'left' ? 0 : EXIT_INTERRUPTED;
  return status?.state === 'ended' ? tellEnd(session, client, status) : 0;
}

async function printLines(
  session: Session,
  client: Client,
  project: string,
): Promise<{ readonly ending: Ending; readonly status: Status | undefined }> {
  const stop = new AbortController();
  using _interrupts = session.host.onInterrupt(() => stop.abort());
  const show = printerOf(session, session.print);
  const status = await followStatus(lastingStatuses(session, client, { project, signal: stop.signal }), show);
  return { ending: stop.signal.aborted ? 'interrupted' : 'ended', status };
}

/** The ledger has counted what was lost; the status has not. */
async function tellEnd(session: Session, client: Client, status: Status): Promise<number> {
  const { project, rollout, kind, failure, result } = status;
  if (result === 'undone') return exitCodeOfFailure(failure);
  const { totals } = await client.ledger(project, rollout);
  if (!session.json) session.print(renderLosses({ totals, rollout }, session.style));
  return exitCodeOfOutcome({ kind, totals });
}
