import { UserError } from '../../lib/errors.ts';
import type { Client } from '../../server/client/index.ts';
import type { Session } from '../session.ts';
import { lineChooser } from './status-line.ts';
import type { Status } from './status.ts';

const MOST_RESTARTS = 3;

/** The statuses of a rollout, also when the daemon is killed meanwhile: it is started again, and resumes the rollout. */
export async function* lastingStatuses(
  session: Session,
  client: Client,
  o: { readonly project: string; readonly signal: AbortSignal },
): AsyncGenerator<Status> {
  for (let restarts = 0; restarts <= MOST_RESTARTS; restarts++) {
    try {
      yield* client.watchRollout(o.project, o.signal);
      return;
    } catch (error) {
      const isGone = error instanceof UserError && error.code === 'daemon-gone';
      if (!isGone || restarts === MOST_RESTARTS) throw error;
      await session.connect();
    }
  }
}

/** Hands on each status until the rollout has ended or the signal fires; gives the last one. */
export async function followStatus(
  statuses: AsyncIterable<Status>,
  show: (status: Status) => void,
): Promise<Status | undefined> {
  let last: Status | undefined;
  for await (const status of statuses) {
    last = status;
    show(status);
  }
  return last;
}

/** Prints a status where something has changed, and each ten seconds; with `--json` every one. */
export function printerOf(session: Session, write: (text: string) => void): (status: Status) => void {
  if (session.json) return (status) => write(`${JSON.stringify(status)}\n`);
  const choose = lineChooser();
  return (status) => {
    const line = choose(status, new Date());
    if (line !== undefined) write(`${line}\n`);
  };
}
