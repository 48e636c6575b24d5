import type { ControlBody } from '../../server/client/index.ts';
import { messageOf } from '../../lib/errors.ts';
import type { Style } from '../output/style.ts';

type Action = ControlBody['action'];

/** What keys do in the live view: some ask first. */
export interface Steering {
  press(key: string): void;
  /** The lines below the picture. */
  footer(o: { readonly isPaused: boolean; readonly style: Style }): readonly string[];
}

const QUESTIONS = {
  m: { kind: 'promote', question: 'Promote: skip the stages that are left, and give all traffic to the new release?' },
  a: { kind: 'abort', question: 'Abort: give all traffic back to the old release?' },
} as const;

const NOTICE_MS = 5_000;

/** @param o.send tells the daemon; @param o.leave ends the view, not the rollout */
export function createSteering(o: {
  readonly send: (action: Action) => Promise<unknown>;
  readonly leave: () => void;
  readonly changed: () => void;
}): Steering {
  let asked: (typeof QUESTIONS)[keyof typeof QUESTIONS] | undefined;
  let notice = { text: '', at: 0 };
  const say = (text: string): void => {
    notice = { text, at: performance.now() };
    o.changed();
  };
  const send = (kind: 'pause' | 'resume' | 'promote' | 'abort'): void => {
    say(`${kind} …`);
    o.send({ kind }).then(
      () => say(`${kind}: told`),
      (error: unknown) => say(messageOf(error)),
    );
  };
  const answer = (key: string, { kind }: NonNullable<typeof asked>): void => {
    asked = undefined;
    if (key === 'y') send(kind);
    else say(`${kind}: no`);
  };
  return {
    press: (key) => {
      if (asked !== undefined) answer(key, asked);
      else if (key === 'q') o.leave();
      else if (key === 'p') send('pause');
      else if (key === 'r') send('resume');
      else if (key === 'm' || key === 'a') {
        asked = QUESTIONS[key];
        say('');
      }
    },
    footer: ({ isPaused, style }) => {
      if (asked !== undefined) return [style.yellow(asked.question), 'y yes   any other key: no'];
      const keys = `${isPaused ? 'r resume' : 'p pause'}   m promote   a abort   q quit, it goes on`;
      const isFresh = notice.text !== '' && performance.now() - notice.at < NOTICE_MS;
      return [...(isFresh ? [style.yellow(notice.text)] : []), style.dim(keys)];
    },
  };
}
