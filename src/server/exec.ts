import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Delivery, ExecSession } from '../delivery/rollout/index.ts';
import type { Log } from '../lib/log.ts';
import { encodeFrame, frameDecoder, type Frame } from './client/frames.ts';
import { errorBodyOf } from './errors.ts';
import { ExecStartSchema } from './wire.ts';

interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

const PATH = /^\/v1\/projects\/([^/?]+)\/exec$/;

/**
 * `GET /v1/projects/{project}/exec` with `Upgrade: tcp`: after the answer 101 both sides send frames
 * (client/frames.ts), the client's first one is `start` with the request as JSON.
 */
export function serveExec(options: { readonly delivery: Delivery; readonly log: Log }, upgrade: Upgrade): void {
  const { request, socket, head } = upgrade;
  const project = PATH.exec(request.url ?? '')?.[1];
  socket.on('error', (error) => options.log.debug({ err: error }, 'exec connection ended'));
  if (project === undefined) {
    socket.end('HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
    return;
  }
  socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: tcp\r\n\r\n');
  if (head.length > 0) socket.unshift(head);
  converse(options.delivery, decodeURIComponent(project), socket).catch((error: unknown) => {
    if (!socket.destroyed) socket.end(encodeFrame('error', JSON.stringify(errorBodyOf(error).error)));
  });
}

async function converse(delivery: Delivery, project: string, socket: Duplex): Promise<void> {
  const frames = socket.pipe(frameDecoder())[Symbol.asyncIterator]() as AsyncIterator<Frame>;
  const first = await frames.next();
  if (first.done === true || first.value.kind !== 'start') return;
  const start = ExecStartSchema.parse(JSON.parse(first.value.payload.toString('utf8')));
  const { index, env, user, workingDirectory, size, ...rest } = start;
  const session = await delivery.exec({
    project,
    ...rest,
    ...(index === undefined ? {} : { index }),
    ...(env === undefined ? {} : { env }),
    ...(user === undefined ? {} : { user }),
    ...(workingDirectory === undefined ? {} : { workingDirectory }),
    ...(size === undefined ? {} : { size }),
  });
  const input = pumpInput(frames, session).catch((error: unknown) => socket.destroy(asError(error)));
  await pumpOutput(session, socket);
  socket.end(encodeFrame('exit', String(await session.exit)));
  await input;
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

async function pumpInput(frames: AsyncIterator<Frame>, session: ExecSession): Promise<void> {
  session.stdin.on('error', () => {}); // the program may end without reading
  for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
    const { kind, payload } = next.value;
    if (kind === 'stdin') session.stdin.write(payload);
    if (kind === 'stdin-end') session.stdin.end();
    if (kind === 'resize') await resize(session, payload);
  }
  session.stdin.end();
}

/** The program may have ended meanwhile; a terminal of another size is no reason to end the session. */
async function resize(session: ExecSession, payload: Buffer): Promise<void> {
  const size = JSON.parse(payload.toString('utf8')) as { columns: number; rows: number };
  await session.resize(size).catch(() => {});
}

async function pumpOutput(session: ExecSession, socket: Duplex): Promise<void> {
  for await (const { stream, data } of session.output) {
    if (!socket.write(encodeFrame(stream, data)) && !socket.destroyed) {
      await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve));
    }
  }
}
