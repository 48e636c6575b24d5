import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Docker from 'dockerode';
import { createEngine, type Engine } from '../../src/engine/docker-api/index.ts';
import { silentLog } from '../../src/lib/log.ts';
import { isInstalled } from './installed.ts';
import { run, type RunResult } from '../../src/lib/process.ts';
import { scopeOf, type Scope } from '../../src/lib/scope.ts';

/** An engine of its own in this process, with the image `busybox`; at its end nothing of it is left. */
export interface TestEngine extends AsyncDisposable {
  readonly scope: Scope;
  /** Closes the engine and opens it again over the same root, as a daemon does that is upgraded. */
  reopen(): Promise<void>;
  readonly socket: string;
  readonly docker: Docker;
  /** A folder for files of the test. */
  readonly folder: string;
  /** Runs the real docker CLI against this engine. */
  cli(...words: string[]): Promise<RunResult>;
  /** Like `cli`; gives standard output without its last line end, and a non-zero exit code fails. */
  must(...words: string[]): Promise<string>;
  /** Any request, e.g. one that clients do not make. */
  request(method: string, path: string, body?: unknown): Promise<RawAnswer>;
}

/** Why the tests with real containers cannot run here, or false. */
export function cannotRunContainers(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  const missing = ['conmon', 'nft', 'ip', 'busybox'].filter((program) => !isInstalled(program));
  return missing.length > 0 ? `needs ${missing.join(', ')}` : false;
}

/** Why the tests with the docker CLI cannot run here, or false. */
export function cannotRunDockerCli(): string | false {
  return cannotRunContainers() || (isInstalled('docker') ? false : 'needs the docker CLI (Debian package docker.io)');
}

export async function openTestEngine(): Promise<TestEngine> {
  const folder = mkdtempSync('/var/tmp/bascule-api-');
  const scope = scopeOf(join(folder, 'root'));
  await using undo = new AsyncDisposableStack();
  undo.defer(() => rmSync(scope.runDirectory, { recursive: true, force: true }));
  undo.defer(() => rmSync(folder, { recursive: true, force: true }));
  const socket = join(scope.runDirectory, 'engine.sock');
  const open = async (): Promise<Engine> => {
    const opened = await createEngine({ scope, log: silentLog, version: '0.0.0-test' });
    await opened.listen(socket);
    return opened;
  };
  let engine = await open();
  undo.defer(() => engine.close());
  undo.defer(() => engine.destroy());
  const docker = new Docker({ socketPath: socket });
  await bootstrapBusybox(socket);
  const end = undo.move();
  const cli = (...words: string[]): Promise<RunResult> =>
    run(['docker', ...words], {
      env: {
        ...process.env,
        DOCKER_HOST: `unix://${socket}`,
        DOCKER_BUILDKIT: '0',
        DOCKER_CONFIG: join(folder, 'config'),
      },
      timeoutMs: 60_000,
    });
  return {
    scope,
    reopen: async () => {
      await engine.close();
      engine = await open();
    },
    socket,
    docker,
    folder,
    cli,
    must: async (...words) => {
      const result = await cli(...words);
      if (result.exitCode === 0) return result.stdout.replace(/\n$/, '');
      throw new Error(`docker ${words.join(' ')} ended with ${result.exitCode}:\n${result.stderr}${result.stdout}`);
    },
    request: (method, path, body) => request(socket, { method, path, body }),
    [Symbol.asyncDispose]: () => end[Symbol.asyncDispose](),
  };
}

async function bootstrapBusybox(socket: string): Promise<void> {
  const { status, text } = await request(socket, { method: 'POST', path: '/images/bootstrap?reference=busybox' });
  if (status !== 200 || text.includes('errorDetail')) throw new Error(`bootstrap: ${status} ${text}`);
}

interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly body?: unknown;
}

interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

function request(socketPath: string, { method, path, body }: RawRequest): Promise<RawAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<RawAnswer>();
  const sent = httpRequest({ socketPath, method, path, headers: { 'content-type': 'application/json' } });
  sent.on('error', reject).on('response', (response) => {
    const chunks: Buffer[] = [];
    response.on('error', reject).on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () =>
      resolve({ status: response.statusCode ?? 0, headers: response.headers, text: Buffer.concat(chunks).toString() }),
    );
  });
  sent.end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}
