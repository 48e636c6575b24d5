import { UserError } from '../../lib/errors.ts';
import type { Client, ProgressEvent, RolloutStatus, Streamed } from '../../server/client/index.ts';
import type { Progress } from '../output/progress.ts';
import type { Session } from '../session.ts';
import { followStatus, printerOf } from './follow.ts';
import { showLive } from './live-view.ts';

/** The view of a rollout beside the command that carries it out. */
export interface StatusView {
  /** It has the terminal: nothing else may be written there. */
  readonly isShowing: boolean;
  end(): Promise<void>;
}

interface Beside {
  readonly client: Client;
  readonly planned: Extract<Streamed<ProgressEvent>, { type: 'planned' }>;
  readonly progress: Progress;
  /** Ctrl-C. */
  interrupt(): void;
  /** The user wants to see no more; the rollout goes on. */
  leave(): void;
}

/** On a terminal the live view; elsewhere lines while both sides serve. It is an extra: without it the rollout goes on. */
export function viewBeside(session: Session, o: Beside): StatusView {
  const ending = new AbortController();
  const terminal = session.host.stderr;
  const isLive = terminal.isTTY === true;
  const look = isLive ? live(session, o, ending.signal) : lines(session, o, ending.signal);
  let isShowing = isLive;
  const ended = look.catch((error: unknown) => sayWhy(session, error)).finally(() => (isShowing = false));
  return {
    get isShowing() {
      return isShowing;
    },
    end: async () => {
      const wait = setTimeout(() => ending.abort(), LAST_LOOK_MS);
      await ended;
      clearTimeout(wait);
    },
  };
}

/** The last status follows the outcome by a moment. */
const LAST_LOOK_MS = 500;

async function live(session: Session, o: Beside, signal: AbortSignal): Promise<void> {
  o.progress.pause();
  const { project } = o.planned;
  const { ending } = await showLive(session, {
    client: o.client,
    project,
    terminal: session.host.stderr,
    statuses: (looking) => o.client.watchRollout(project, looking),
    signal,
    onInterrupt: o.interrupt,
  });
  if (ending === 'left') o.leave();
}

const COMPARING: ReadonlySet<RolloutStatus['state']> = new Set(['running', 'paused', 'waiting']);

async function lines(session: Session, o: Beside, signal: AbortSignal): Promise<void> {
  const print = printerOf(session, (text) => void session.host.stderr.write(text));
  await followStatus(o.client.watchRollout(o.planned.project, signal), (status) => {
    // Where nothing is compared, the steps tell all there is to tell.
    if (status.stage !== undefined && COMPARING.has(status.state)) print(status);
  });
}

function sayWhy({ host }: Session, error: unknown): void {
  const why = error instanceof UserError ? error.message : String(error);
  host.stderr.write(`! the view of the rollout ended: ${why}\n`);
}
