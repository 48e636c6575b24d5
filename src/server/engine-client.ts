import { type IncomingMessage, request } from 'node:http';
import Docker from 'dockerode';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { engineUnavailable } from '../lib/engine-unavailable.ts';
import { UserError } from '../lib/errors.ts';
import { call, engineError } from './engine-errors.ts';
import { type EngineImages, engineImages } from './engine-images.ts';
import { type EngineRegistries, engineRegistries } from './engine-registries.ts';
import { type EngineOwnImages, engineOwnImages } from './engine-own-images.ts';

/** What the server asks of the engine directly, over the Docker Engine API. */
export interface BootstrapRequest {
  readonly reference: string;
  /** Time of a snapshot, e.g. `20261101T000000Z`. */
  readonly snapshot?: string;
  /** Of snapshots. */
  readonly mirror?: string;
}

export interface EngineClient extends EngineImages, EngineOwnImages, EngineRegistries {
  /** The image as `GET /images/{name}/json` tells it. */
  inspectImage(name: string): Promise<unknown>;
  /** Its id and all its references. */
  identifyImage(name: string): Promise<{ readonly id: string; readonly references: readonly string[] }>;
  removeImage(name: string, force: boolean): Promise<unknown>;
  /** Makes a base image. Only Bascule's own engine can. */
  bootstrap(
    request: BootstrapRequest,
    o: { onLine(line: string): void; signal: AbortSignal },
  ): Promise<{ readonly reference: string }>;
  /**
   * Hands a build on, byte by byte both ways: the first line of the body is the request, and the answer is JSON lines.
   * Only Bascule's own engine can.
   */
  build(body: Readable, o: { readonly signal: AbortSignal }): Promise<Readable>;
}

export function connectEngine(socketPath: string): EngineClient {
  const docker = new Docker({ socketPath });
  return {
    ...engineImages(docker),
    ...engineOwnImages(docker),
    ...engineRegistries(docker),
    inspectImage: (name) => call(() => docker.getImage(name).inspect()),
    identifyImage: async (name) => {
      const { Id: id, RepoTags: references } = await call(() => docker.getImage(name).inspect());
      return { id, references: references ?? [] };
    },
    removeImage: (name, force) => call(() => docker.getImage(name).remove({ force })),
    bootstrap: (request, o) => bootstrap(docker, request, o),
    build: (body, o) => build(socketPath, body, o.signal),
  };
}

interface BootstrapLine {
  readonly stream?: string;
  readonly status?: string;
  readonly error?: string;
  /** Of an answer that is no stream: the engine refused. */
  readonly message?: string;
  readonly fix?: string;
}

async function bootstrap(
  docker: Docker,
  request: BootstrapRequest,
  o: { onLine(line: string): void; signal: AbortSignal },
): Promise<{ readonly reference: string }> {
  const stream = await call(() => dialBootstrap(docker, request));
  o.signal.addEventListener('abort', () => stream.destroy(), { once: true });
  for await (const text of createInterface({ input: stream })) {
    const line = JSON.parse(text) as BootstrapLine;
    if (line.message !== undefined) throw engineError(stream.statusCode ?? 500, line.message, line.fix);
    if (line.error !== undefined) throw engineError(422, line.error);
    const shown = (line.stream ?? line.status ?? '').trimEnd();
    if (shown !== '') o.onLine(shown);
  }
  return { reference: request.reference };
}

function dialBootstrap(docker: Docker, request: BootstrapRequest): Promise<IncomingMessage> {
  const modem = docker.modem as unknown as {
    dial(options: object, callback: (error: unknown, stream: IncomingMessage) => void): void;
  };
  return new Promise((resolve, reject) => {
    modem.dial(
      {
        path: '/images/bootstrap?', // docker-modem appends the options
        options: request,
        method: 'POST',
        isStream: true,
        statusCodes: { 200: true, 400: true, 404: true, 409: true, 422: true, 500: true, 501: true, 503: true }, // the answer says what
      },
      (error, stream) => (error ? reject(error) : resolve(stream)),
    );
  });
}

function build(socketPath: string, body: Readable, signal: AbortSignal): Promise<Readable> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method: 'POST', path: '/bascule/build', signal }, (answer) => {
      if (answer.statusCode === 200) resolve(answer);
      else {
        answer.resume();
        reject(
          answer.statusCode === 404 ? foreignEngine() : engineError(answer.statusCode ?? 500, 'the build was refused'),
        );
      }
    });
    outgoing.once('error', (error) => reject(engineUnavailable({ what: 'build', cause: error }) ?? error));
    body.once('error', () => outgoing.destroy());
    body.pipe(outgoing);
  });
}

function foreignEngine(): UserError {
  return new UserError({
    code: 'build-unsupported',
    kind: 'unsupported',
    message: 'the engine is not the embedded one: it cannot do this build',
    fix: 'Build with its own command (`docker build`), or use the embedded engine: bascule daemon config unset engine.',
  });
}
