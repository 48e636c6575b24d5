import { spawn } from 'node:child_process';
import { stat, writeFile } from 'node:fs/promises';
import { PassThrough, type Writable } from 'node:stream';
import { attachArgv } from './argv.ts';
import { isUp, type Entry } from './containers.ts';
import type { Attachment, AttachOptions, OutputPiece, TerminalSize } from './face.ts';
import { readOutput } from './logs.ts';

/** Streams of a container that runs or is about to: the output comes from its log, the input goes to conmon. */
export async function attachTo(entry: Entry, o: AttachOptions): Promise<Attachment> {
  const stop = new AbortController();
  const signal = o.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, o.signal]);
  const output = await outputOf(entry, o, signal);
  const stdin = o.stdin && entry.spec.openStdin ? openInput(entry, signal) : undefined;
  return { output, close: () => stop.abort(), ...(stdin === undefined ? {} : { stdin }) };
}

/** Where the log ends now is fixed before we return: what is written from then on is not lost. */
async function outputOf(entry: Entry, o: AttachOptions, signal: AbortSignal): Promise<AsyncIterable<OutputPiece>> {
  const size = await stat(entry.paths.log).then(
    (log) => log.size,
    () => 0,
  );
  const pieces = readOutput(entry, {
    follow: o.stream,
    stdout: o.stdout,
    stderr: o.stderr,
    offset: o.logs ? 0 : size,
    awaitStart: !isUp(entry),
    signal,
  });
  return eager(pieces);
}

/** Begins at once, so that an end that comes before the first reader is seen. */
function eager(pieces: AsyncGenerator<OutputPiece>): AsyncIterable<OutputPiece> {
  const first = pieces.next();
  first.catch(() => {}); // whoever reads learns of it
  return {
    async *[Symbol.asyncIterator]() {
      for (let result = await first; !result.done; result = await pieces.next()) yield result.value;
    },
  };
}

/** conmon's socket is there once the container is; until then the input is kept. */
function openInput(entry: Entry, signal: AbortSignal): Writable {
  const input = new PassThrough();
  input.on('error', () => {});
  void whenUp(entry, signal).then((up) => {
    if (!up) return;
    const [program, ...args] = attachArgv(entry.paths.attachSocket);
    const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'ignore'], detached: true });
    child.on('error', () => input.destroy());
    child.stdin.on('error', () => {}); // the container has ended
    input.pipe(child.stdin);
    signal.addEventListener('abort', () => child.stdin.end(), { once: true });
  });
  return input;
}

function whenUp(entry: Entry, signal: AbortSignal): Promise<boolean> {
  if (isUp(entry)) return Promise.resolve(true);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const listener = (): void => {
    if (isUp(entry)) resolve(true);
  };
  const abort = (): void => resolve(false);
  entry.listeners.add(listener);
  signal.addEventListener('abort', abort);
  return promise.finally(() => {
    entry.listeners.delete(listener);
    signal.removeEventListener('abort', abort);
  });
}

/** conmon reads sizes from a fifo: `1 ROWS COLUMNS`. */
export async function resizeTerminal(entry: Entry, size: TerminalSize): Promise<void> {
  if (!isUp(entry) || !entry.spec.tty) return;
  await writeFile(entry.paths.control, `1 ${size.rows} ${size.columns}\n`, { flag: 'a' });
}
