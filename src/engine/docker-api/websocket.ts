import type { IncomingMessage } from 'node:http';
import { Writable, type Duplex, type Readable } from 'node:stream';
import { createWebSocketStream, type WebSocket, WebSocketServer } from 'ws';

/** Nobody types so much at once; a terminal's input comes by few bytes. */
const LARGEST_MESSAGE_BYTES = 16 * 1024 * 1024;
const NORMAL_CLOSURE = 1000;

/** A request that asks for a WebSocket, and what came behind it. */
export interface Opening {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
}

/** Accepts a connection (RFC 6455, section 4.2). @throws Error where the request does not ask for one as it should */
export function acceptWebSocket({ request, socket, head }: Opening): Promise<WebSocket> {
  const server = new WebSocketServer({ noServer: true, clientTracking: false, maxPayload: LARGEST_MESSAGE_BYTES });
  return new Promise((resolve, reject) => {
    server.once('wsClientError', reject);
    server.handleUpgrade(request, socket, head, resolve);
  });
}

/** Its messages as one connection of bytes. What the client sends ends with its farewell. */
export function bytesOver(
  client: WebSocket,
  kind: 'text' | 'binary',
): { readonly input: Readable; readonly output: Writable } {
  const input = createWebSocketStream(client);
  input.on('error', () => {}); // a client that goes away: the connection's end tells
  const output = new Writable({
    write: (chunk: Buffer, _encoding, done) => client.send(chunk, { binary: kind === 'binary' }, done),
    final(done) {
      client.close(NORMAL_CLOSURE);
      done();
    },
  });
  return { input, output: output.on('error', () => client.terminate()) };
}
