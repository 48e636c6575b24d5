import type { Client } from '../../server/client/index.ts';
import type { Session } from '../session.ts';
import { lineChooser } from './status-line.ts';
import type { Status } from './status.ts';

/** Hands on each status until the rollout has ended or the signal fires; gives the last one. */
export async function followStatus(
  client: Client,
  o: { readonly project: string; readonly signal: AbortSignal; show(status: Status): void },
): Promise<Status | undefined> {
  let last: Status | undefined;
  for await (const status of client.watchRollout(o.project, o.signal)) {
    last = status;
    o.show(status);
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
