import type { ClientRequest, IncomingMessage } from 'node:http';
import { failureOf, isByProxy, open, type ProbeRun, type RunProbe } from './dial.ts';
import { pause } from './pause.ts';

const AGAIN_MS = 1_000;
const EVENT_END = /\r?\n\r?\n/g;

/** One event stream that is held open, and opened again when it ended. */
export const probeByEventStream: RunProbe = async (run) => {
  while (!run.signal.aborted) {
    await holdOpen(run);
    await pause(AGAIN_MS, run.signal);
  }
};

function holdOpen(run: ProbeRun): Promise<void> {
  const { book, signal } = run;
  return new Promise((resolve) => {
    let isOver = false;
    const end = (count: () => void): void => {
      if (!isOver && !signal.aborted) count();
      isOver = true;
      signal.removeEventListener('abort', leave);
      resolve();
    };
    book.sent();
    const sent = open(run, { agent: false, method: 'GET', headers: { accept: 'text/event-stream' } });
    const leave = (): void => {
      sent.destroy();
      end(() => {});
    };
    signal.addEventListener('abort', leave);
    sent.on('error', (error) => end(() => book.failed(failureOf(error, false), error.message)));
    sent.on('response', (answer) => listen(run, { sent, answer, end }));
    sent.end();
  });
}

interface Stream {
  readonly sent: ClientRequest;
  readonly answer: IncomingMessage;
  end(count: () => void): void;
}

function listen(run: ProbeRun, { answer, end }: Stream): void {
  const { book } = run;
  const isStream = answer.statusCode === 200;
  book.answered(answer.statusCode ?? 0, isByProxy(answer));
  let rest = '';
  answer.setEncoding('utf8');
  answer.on('data', (text: string) => {
    const events = (rest + text).split(EVENT_END);
    rest = (events.pop() ?? '').slice(-1_000);
    if (isStream && events.length > 0) book.message(events.length);
  });
  const cut = (detail: string): void => end(() => countCut(run, detail));
  answer.on('end', () => end(() => isStream && book.ended('byApplication')));
  answer.on('error', (error) => cut(error.message));
  answer.on('close', () => cut('the stream was cut'));
}

function countCut({ book, isDrainDeadline }: ProbeRun, detail: string): void {
  if (isDrainDeadline()) book.ended('atDrainDeadline');
  else book.failed('truncated', detail);
}
