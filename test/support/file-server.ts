import { spawn } from 'node:child_process';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a server answers; a string is the body of a 200. */
export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

export interface FileServer extends AsyncDisposable {
  /** `http://127.0.0.1:…` */
  readonly url: string;
  /** `METHOD path status` of what was answered, in order. */
  readonly log: string[];
}

/** An HTTP server on loopback that answers what it is told to. */
export async function startFileServer(
  answer: (request: IncomingMessage) => Answer | 'silence' | undefined,
): Promise<FileServer> {
  const log: string[] = [];
  const server = createServer((request, response) => {
    const told = answer(request) ?? { status: 404 };
    if (told === 'silence') return;
    log.push(`${request.method} ${request.url} ${told.status ?? 200}`);
    response.writeHead(told.status ?? 200, told.headers ?? {});
    response.end(told.body ?? '');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export interface GitServerOptions {
  /** A folder of bare repositories. */
  readonly folder: string;
  /** `user:password` that is asked for. */
  readonly credentials?: string;
}

/** Serves git repositories over HTTP, by git's own CGI program. */
export async function startGitServer({ folder, credentials }: GitServerOptions): Promise<FileServer> {
  const log: string[] = [];
  const server = createServer((request, response) => {
    log.push(`${request.method} ${request.url}`);
    const expected = credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`;
    if (expected === undefined || request.headers.authorization === expected) return serve(folder, request, response);
    response.writeHead(401, { 'www-authenticate': 'Basic realm="git"' });
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    log,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function serve(folder: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? '/', 'http://git');
  const child = spawn('git', ['-c', 'safe.directory=*', 'http-backend'], {
    env: {
      PATH: process.env['PATH'] ?? '',
      GIT_PROJECT_ROOT: folder,
      GIT_HTTP_EXPORT_ALL: '1',
      PATH_INFO: url.pathname,
      QUERY_STRING: url.search.slice(1),
      REQUEST_METHOD: request.method ?? 'GET',
      CONTENT_TYPE: request.headers['content-type'] ?? '',
      HTTP_CONTENT_ENCODING: request.headers['content-encoding'] ?? '',
      GIT_PROTOCOL: String(request.headers['git-protocol'] ?? ''),
      REMOTE_ADDR: '127.0.0.1',
    },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  child.stdin.on('error', () => {});
  request.pipe(child.stdin);
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.once('close', () => {
    const output = Buffer.concat(chunks);
    const end = output.indexOf('\r\n\r\n');
    const head = output.toString('latin1', 0, Math.max(end, 0)).split('\r\n');
    const headers = head.map(
      (line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()] as const,
    );
    const status = Number(headers.find(([name]) => name.toLowerCase() === 'status')?.[1].slice(0, 3) ?? 200);
    response.writeHead(
      status,
      Object.fromEntries(headers.filter(([name]) => name.toLowerCase() !== 'status' && name !== '')),
    );
    response.end(output.subarray(end + 4));
  });
}
