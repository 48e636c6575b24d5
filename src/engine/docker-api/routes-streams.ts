import { UserError } from '../../lib/errors.ts';
import type { Attachment, Container, LogsOptions, OutputPiece } from '../runtime/index.ts';
import { doneTo } from './engine-events.ts';
import type { Exchange, RawConnection } from './exchange.ts';
import { frameOf } from './frames.ts';
import { invalidParameter } from './http-errors.ts';
import { logDetailsOf } from './log-details.ts';
import { logFrames } from './log-frames.ts';
import { flagOf, momentOf, textOf } from './query.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { speaksAtLeast } from './versions.ts';
import { bytesOver } from './websocket.ts';
import { writeTo } from './writing.ts';

type StreamRooms = Pick<Rooms, 'runtime' | 'events'>;

const RAW_STREAM = 'application/vnd.docker.raw-stream';
const MULTIPLEXED_STREAM = 'application/vnd.docker.multiplexed-stream';

/** What goes over the wire: a terminal's bytes, or frames; before API 1.42 both had one name. */
export function streamTypeOf(exchange: Exchange, tty: boolean): string {
  return tty || !speaksAtLeast(exchange, '1.42') ? RAW_STREAM : MULTIPLEXED_STREAM;
}

/** Output and input of containers: logs, attach, the terminal's size. */
export function streamRoutes(rooms: StreamRooms): readonly Route[] {
  const { runtime } = rooms;
  const containerOf = (exchange: Exchange): Container => runtime.get(exchange.params['id'] ?? '');
  return [
    {
      method: 'GET',
      pattern: '/containers/{id}/logs',
      handle: (exchange) => logs(rooms, containerOf(exchange), exchange),
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/attach',
      handle: (exchange) => attach(rooms, containerOf(exchange), exchange),
    },
    {
      method: 'GET',
      pattern: '/containers/{id}/attach/ws',
      handle: (exchange) => attachWebSocket(rooms, containerOf(exchange), exchange),
    },
    {
      method: 'POST',
      pattern: '/containers/{id}/resize',
      handle: async (exchange) => {
        await runtime.resize(containerOf(exchange).id, terminalSizeOf(exchange));
        exchange.reply(200);
      },
    },
  ];
}

/** @throws UserError `invalid-parameter` */
export function terminalSizeOf({ query }: Exchange): { columns: number; rows: number } {
  const [rows, columns] = [lengthOf(query, 'h', 'height'), lengthOf(query, 'w', 'width')];
  return { columns, rows };
}

function lengthOf(query: URLSearchParams, name: string, words: string): number {
  const text = query.get(name) ?? '';
  if (/^\d+$/.test(text)) return Number(text);
  throw invalidParameter(`invalid resize ${words} "${text}": invalid syntax`, `Give the number ${name}.`);
}

async function logs({ runtime }: Pick<Rooms, 'runtime'>, container: Container, exchange: Exchange): Promise<void> {
  const options = logsOptionsOf(exchange);
  if (!options.stdout && !options.stderr) {
    throw invalidParameter('Bad parameters: you must choose at least one stream', 'Give stdout=1 or stderr=1.');
  }
  if (container.spec.logDriver.type === 'none') throw unreadableLogs();
  const batches = runtime.logBatches(container.id, options);
  const { tty } = container.spec;
  const encode = logFrames({
    tty,
    timestamps: flagOf(exchange.query, 'timestamps'),
    details: flagOf(exchange.query, 'details') ? logDetailsOf(container.spec) : undefined,
  });
  const sink = exchange.stream(streamTypeOf(exchange, tty));
  for await (const batch of batches) {
    if (!(await writeTo(sink, encode(batch), exchange.signal))) return;
  }
  sink.end();
}

function unreadableLogs(): UserError {
  return new UserError({
    code: 'logs-unreadable',
    kind: 'failed',
    message: 'configured logging driver does not support reading',
    fix: 'Run the container with the log driver json-file or local.',
  });
}

function logsOptionsOf({ query, signal }: Exchange): LogsOptions {
  const tailText = textOf(query, 'tail');
  const tail = tailText === undefined || tailText === 'all' ? undefined : Number(tailText);
  const since = momentOf(query, 'since');
  const until = momentOf(query, 'until');
  return {
    follow: flagOf(query, 'follow'),
    stdout: flagOf(query, 'stdout'),
    stderr: flagOf(query, 'stderr'),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(tail === undefined || !(tail >= 0) ? {} : { tail }),
    signal,
  };
}

/** Raw bytes of a terminal, or frames that tell the streams apart. */
function wire(tty: boolean, stream: 'stdout' | 'stderr', data: Buffer): Buffer {
  return tty ? data : frameOf(stream, data);
}

async function attach(rooms: StreamRooms, container: Container, exchange: Exchange): Promise<void> {
  const attachment = await attachmentOf(rooms, container, exchange);
  const connection = exchange.hijack(streamTypeOf(exchange, container.spec.tty));
  try {
    feedInput(connection, attachment);
    await sendOutput(connection, attachment.output, { tty: container.spec.tty, signal: exchange.signal });
    connection.output.end();
  } finally {
    attachment.close();
  }
}

/** Before API 1.42 a WebSocket had all three streams, whatever was asked for. */
async function attachmentOf(
  { runtime, events }: StreamRooms,
  container: Container,
  { query, signal }: Exchange,
  o: { readonly allStreams: boolean } = { allStreams: false },
): Promise<Attachment> {
  const attachment = await runtime.attach(container.id, {
    stdin: o.allStreams || flagOf(query, 'stdin'),
    stdout: o.allStreams || flagOf(query, 'stdout'),
    stderr: o.allStreams || flagOf(query, 'stderr'),
    logs: flagOf(query, 'logs'),
    stream: flagOf(query, 'stream'),
    signal,
  });
  events.publish(doneTo(container, 'attach'));
  return attachment;
}

/** The streams are not told apart there; the client's farewell ends the connection. */
async function attachWebSocket(rooms: StreamRooms, container: Container, exchange: Exchange): Promise<void> {
  const allStreams = !speaksAtLeast(exchange, '1.42');
  const attachment = await attachmentOf(rooms, container, exchange, { allStreams });
  try {
    const client = await exchange.upgrade().catch(notUpgraded);
    const connection = bytesOver(client, speaksAtLeast(exchange, '1.28') ? 'binary' : 'text');
    connection.input.once('end', () => connection.output.end());
    feedInput(connection, attachment);
    await sendOutput(connection, attachment.output, { tty: true, signal: exchange.signal });
    connection.output.end();
  } finally {
    attachment.close();
  }
}

function notUpgraded(): never {
  throw invalidParameter('the request is not the opening of a WebSocket', 'Connect with a WebSocket client.');
}

/** The client's half: its end closes standard input, not the connection. */
export function feedInput(connection: RawConnection, target: Pick<Attachment, 'stdin'>): void {
  const { stdin } = target;
  connection.input.on('error', () => {}); // a client that goes away: the signal tells
  if (stdin === undefined) {
    connection.input.resume();
    return;
  }
  stdin.on('error', () => {}); // the process may close its input, or end, at any time
  connection.input.pipe(stdin);
}

/** Gives false when the client is gone before the end. */
export async function sendOutput(
  connection: RawConnection,
  output: AsyncIterable<OutputPiece>,
  o: { readonly tty: boolean; readonly signal: AbortSignal },
): Promise<boolean> {
  for await (const { stream, data } of output) {
    if (!(await writeTo(connection.output, wire(o.tty, stream, data), o.signal))) return false;
  }
  return true;
}
