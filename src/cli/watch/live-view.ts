import type { Client } from '../../server/client/index.ts';
import type { Terminal } from '../host.ts';
import type { Session } from '../session.ts';
import { onKeys } from './keys.ts';
import { renderStatus } from './render-status.ts';
import { openScreen } from './screen.ts';
import { createSteering } from './steering.ts';
import type { Status } from './status.ts';

/** Seconds without news after which the picture says so. */
const SILENCE_MS = 4_000;
const TICK_MS = 1_000;

/** How somebody stopped looking on. */
export type Ending = 'ended' | 'left' | 'interrupted';

interface ViewOptions {
  readonly client: Client;
  readonly project: string;
  readonly terminal: Terminal;
  statuses(signal: AbortSignal): AsyncIterable<Status>;
  /** Ends the view from outside. */
  readonly signal: AbortSignal;
  /** What Ctrl-C does, for a caller that listens to signals itself; without it the view ends. */
  readonly onInterrupt?: () => void;
}

/**
 * Shows a rollout on the whole terminal until it has ended or the user leaves; afterwards its last picture stays.
 * @throws UserError what the daemon answered
 */
export async function showLive(session: Session, o: ViewOptions): Promise<{ ending: Ending; status?: Status }> {
  const { host, style } = session;
  const done = new AbortController();
  const signal = AbortSignal.any([done.signal, o.signal]);
  const seen: { status?: Status; ending: Ending; at: number } = { ending: 'ended', at: Date.now() };
  const end = (ending: Ending): void => {
    seen.ending = ending;
    done.abort();
  };
  {
    const paint = (): void => {
      if (seen.status === undefined || signal.aborted) return;
      const { columns, rows } = screen;
      const keys = steering.footer({ isPaused: seen.status.state === 'paused', style });
      const footer = [...silence(seen.at), ...(host.stdin.isTTY === true ? keys : [])];
      screen.paint(renderStatus(seen.status, { columns, rows, style, now: new Date(), footer }));
    };
    const steering = createSteering({
      send: (action) => o.client.control(o.project, { author: session.author, action }),
      leave: () => end('left'),
      changed: () => paint(),
    });
    const interrupt = o.onInterrupt ?? ((): void => end('interrupted'));
    using _signals = o.onInterrupt === undefined ? host.onInterrupt(interrupt) : undefined;
    using screen = openScreen(o.terminal, () => paint());
    using _keys = onKeys(host.stdin, { onKey: steering.press, onInterrupt: interrupt });
    using _tick = everySecond(paint);
    for await (const status of o.statuses(signal)) {
      Object.assign(seen, { status, at: Date.now() });
      paint();
    }
  }
  const { status, ending } = seen;
  if (status === undefined) return { ending };
  leavePicture(status, o.terminal, session);
  return { ending, status };
}

function leavePicture(status: Status, terminal: Terminal, { style }: Session): void {
  const lines = renderStatus(status, { columns: terminal.columns ?? 80, rows: 40, style, now: new Date() });
  terminal.write(`${lines.join('\n')}\n`);
}

function silence(at: number): readonly string[] {
  const ms = Date.now() - at;
  return ms < SILENCE_MS ? [] : [`no news from the daemon for ${Math.round(ms / 1_000)} s`];
}

function everySecond(act: () => void): Disposable {
  const timer = setInterval(act, TICK_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
