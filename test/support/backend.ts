import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocketServer } from 'ws';

/** A small application for tests of traffic: says its version, echoes WebSockets, streams events. */
export interface Backend extends AsyncDisposable {
  readonly version: string;
  readonly address: string;
  readonly port: number;
  /** Like a crash: refuses connections and resets those that stand. */
  kill(): Promise<void>;
}

/**
 * `/` its version; `/echo` the request's headers and body length as JSON; `/upload` the length of the body;
 * `/fail` 500; `/cut` half a response; `/drop` no response; `/slow?ms=` waits; `/events` counts up every 20 ms;
 * a WebSocket anywhere is echoed.
 */
export async function startBackend(version: string, address: string, port = 0): Promise<Backend> {
  const server = createServer((request, response) => void answer(version, request, response));
  const sockets = new WebSocketServer({ server });
  sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(String(data))));
  server.listen(port, address);
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('not an IP listener');
  const kill = async (): Promise<void> => {
    for (const socket of sockets.clients) socket.terminate();
    await closeAll(server);
  };
  return { version, address, port: bound.port, kill, [Symbol.asyncDispose]: kill };
}

async function closeAll(server: Server): Promise<void> {
  if (!server.listening) return;
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
}

async function answer(version: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://backend');
  response.setHeader('x-version', version);
  switch (pathname) {
    case '/echo':
      response.end(JSON.stringify({ version, headers: request.headers, bytes: await lengthOf(request) }));
      return;
    case '/upload':
      response.end(String(await lengthOf(request)));
      return;
    case '/fail':
      response.writeHead(500).end('the application failed');
      return;
    case '/cut':
      response.writeHead(200, { 'content-length': '1000' }).write('half');
      await delay(20);
      request.socket.destroy();
      return;
    case '/drop':
      request.socket.destroy();
      return;
    case '/slow':
      await delay(Number(searchParams.get('ms')));
      response.end(version);
      return;
    case '/events':
      return streamEvents(request, response);
    default:
      response.end(version);
  }
}

async function lengthOf(request: IncomingMessage): Promise<number> {
  let bytes = 0;
  for await (const chunk of request) bytes += (chunk as Buffer).length;
  return bytes;
}

async function streamEvents(request: IncomingMessage, response: ServerResponse): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  for (let count = 0; !request.socket.destroyed; count++) {
    response.write(`data: ${count}\n\n`);
    await delay(20);
  }
}
