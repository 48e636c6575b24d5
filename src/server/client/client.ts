import { type Duplex, Readable } from 'node:stream';
import type {
  BuiltImage,
  InstanceView,
  Ledger,
  LogLine,
  PlanView,
  ProgressEvent,
  ProjectView,
  ReleaseDetail,
  ReleaseDiff,
  ReleaseView,
  RolloutOutcome,
  RolloutStatus,
} from '../../delivery/rollout/index.ts';
import { UserError } from '../../lib/errors.ts';
import type { CertificateView } from '../routes/certificates.ts';
import type { SystemCheck, SystemInfo } from '../routes/system.ts';
import type {
  AmendBody,
  BootstrapBody,
  ControlBody,
  DeployBody,
  DownBody,
  ExecStart,
  FolderRollbackBody,
  ProjectSourceBody,
  RollbackBody,
} from '../wire.ts';
import type { ImageBuildEvent, ImageBuildResult, ImageBuildSpec } from './image-build.ts';
import { type ImageCalls, imageCalls } from './images.ts';
import { type RegistryCalls, registryCalls } from './registries.ts';
import type { Streamed } from './streamed.ts';
import { encodeFrame, frameDecoder, type Frame } from './frames.ts';
import { callJson, callLines, callUpgrade, type ApiErrorBody, type ApiRequest } from './transport.ts';

/** Who looks on while something changes the world. */
export interface Onlooker {
  onEvent(event: Streamed<ProgressEvent>): void;
  /** Looks on no longer: the call rejects, the work goes on in the daemon. */
  readonly signal: AbortSignal;
}

/** Bascule's API as functions. Every one throws the UserError that the daemon answered. */
export interface Client extends ImageCalls, RegistryCalls {
  version(): Promise<SystemInfo>;
  doctor(): Promise<readonly SystemCheck[]>;
  certificates(): Promise<readonly CertificateView[]>;
  projects(): Promise<readonly string[]>;
  resolveProject(source: ProjectSourceBody): Promise<string>;
  config(source: ProjectSourceBody): Promise<unknown>;
  ps(project: string): Promise<Streamed<ProjectView>>;
  releases(project: string): Promise<readonly Streamed<ReleaseView>[]>;
  release(project: string, number: number): Promise<Streamed<ReleaseDetail>>;
  diff(project: string, from: number, to: number): Promise<Streamed<ReleaseDiff>>;
  ledger(project: string, rollout?: number): Promise<Streamed<Ledger>>;
  ledgers(project: string): Promise<readonly Streamed<Ledger>[]>;
  logs(
    project: string,
    query: { services: readonly string[]; follow: boolean; tail?: number; since?: string },
    signal: AbortSignal,
  ): AsyncGenerator<Streamed<LogLine>>;
  deploy(body: DeployBody, onlooker: Onlooker): Promise<Streamed<RolloutOutcome>>;
  build(body: DeployBody, onlooker: Onlooker): Promise<readonly BuiltImage[]>;
  plan(body: DeployBody): Promise<Streamed<PlanView>>;
  rollback(project: string, body: RollbackBody, onlooker: Onlooker): Promise<Streamed<RolloutOutcome>>;
  /** The same of the project in a folder. */
  rollbackFolder(body: FolderRollbackBody, onlooker: Onlooker): Promise<Streamed<RolloutOutcome>>;
  planRollback(project: string, body: RollbackBody): Promise<Streamed<PlanView>>;
  amend(project: string, body: AmendBody, onlooker: Onlooker): Promise<Streamed<RolloutOutcome>>;
  planAmend(project: string, body: AmendBody): Promise<Streamed<PlanView>>;
  /** The rollout that runs, else the last one. */
  status(project: string): Promise<Streamed<RolloutStatus>>;
  /** Until the rollout has ended or the signal fires. */
  watchRollout(project: string, signal: AbortSignal): AsyncGenerator<Streamed<RolloutStatus>>;
  control(project: string, body: ControlBody): Promise<Streamed<RolloutStatus>>;
  setInstanceTraffic(
    project: string,
    change: { readonly instance: string; readonly direction: 'out' | 'in'; readonly author: string },
  ): Promise<Streamed<InstanceView>>;
  down(project: string, body: DownBody, onlooker: Onlooker): Promise<Streamed<RolloutOutcome>>;
  cancel(project: string): Promise<void>;
  exec(project: string, start: ExecStart): Promise<ExecConnection>;
  inspectImage(name: string): Promise<unknown>;
  removeImage(name: string, force: boolean): Promise<unknown>;
  purge(onLine: (line: string) => void): Promise<void>;
  bootstrap(body: BootstrapBody, onLine: (line: string) => void, signal: AbortSignal): Promise<{ reference: string }>;
  /** @param build with the context where it is a stream */
  buildImage(
    build: { readonly spec: ImageBuildSpec; readonly context?: Readable },
    o: { onEvent(event: ImageBuildEvent): void; readonly signal: AbortSignal },
  ): Promise<ImageBuildResult>;
}

export interface ExecConnection {
  write(data: Uint8Array): void;
  endInput(): void;
  resize(size: { readonly columns: number; readonly rows: number }): void;
  /** Ends after the exit code; throws what the daemon says. */
  readonly events: AsyncIterable<
    { readonly kind: 'stdout' | 'stderr'; readonly data: Buffer } | { readonly kind: 'exit'; readonly code: number }
  >;
  close(): void;
}

/** @param signal ends the calls that answer at once; those that follow something have one of their own */
export function createClient(socketPath: string, signal?: AbortSignal): Client {
  const until = signal === undefined ? {} : { signal };
  const get = <T>(path: string, query?: ApiRequest['query']): Promise<T> =>
    callJson<T>(socketPath, { method: 'GET', path, ...until, ...(query === undefined ? {} : { query }) });
  const post = <T>(path: string, body: unknown): Promise<T> =>
    callJson<T>(socketPath, { method: 'POST', path, body, ...until });
  const follow = <T>(path: string, body: unknown, { onEvent, signal: looking }: Onlooker): Promise<T> =>
    lastOf<T, Streamed<ProgressEvent>>(callLines(socketPath, { method: 'POST', path, body, signal: looking }), onEvent);
  const at = (project: string, rest = ''): string => `/v1/projects/${encodeURIComponent(project)}${rest}`;

  return {
    version: () => get('/v1/version'),
    doctor: () => get('/v1/doctor'),
    certificates: () => get('/v1/certificates'),
    projects: () => get('/v1/projects'),
    resolveProject: async (source) => (await post<{ project: string }>('/v1/projects/resolve', source)).project,
    config: (source) => post('/v1/projects/config', source),
    ps: (project) => get(at(project)),
    releases: (project) => get(at(project, '/releases')),
    release: (project, number) => get(at(project, `/releases/${number}`)),
    diff: (project, from, to) => get(at(project, '/diff'), { from, to }),
    ledger: (project, rollout) => get(at(project, '/ledger'), { rollout }),
    ledgers: (project) => get(at(project, '/ledgers')),
    logs: (project, query, signal) => logs(socketPath, at(project, '/logs'), { query, signal }),
    deploy: (body, onlooker) => follow('/v1/deploy', body, onlooker),
    build: (body, onlooker) => follow('/v1/build', body, onlooker),
    plan: (body) => post('/v1/plan', body),
    rollback: (project, body, onlooker) => follow(at(project, '/rollback'), body, onlooker),
    rollbackFolder: (body, onlooker) => follow('/v1/rollback', body, onlooker),
    planRollback: (project, body) => post(at(project, '/rollback/plan'), body),
    amend: (project, body, onlooker) => follow(at(project, '/amend'), body, onlooker),
    planAmend: (project, body) => post(at(project, '/amend/plan'), body),
    status: (project) => get(at(project, '/rollout')),
    watchRollout: (project, looking) => statuses(socketPath, at(project, '/rollout/watch'), looking),
    control: (project, body) => post(at(project, '/rollout/control'), body),
    setInstanceTraffic: (project, { instance, ...body }) =>
      post(at(project, `/instances/${encodeURIComponent(instance)}/traffic`), body),
    down: (project, body, onlooker) => follow(at(project, '/down'), body, onlooker),
    cancel: async (project) => void (await post(at(project, '/cancel'), undefined)),
    exec: (project, start) => openExec(socketPath, at(project, '/exec'), start),
    ...imageCalls(socketPath, until),
    ...registryCalls(socketPath, { until, follow: (call, onEvent) => lastOf(callLines(socketPath, call), onEvent) }),
    inspectImage: (name) => get('/v1/images/inspect', { name }),
    removeImage: (name, force) => post('/v1/images/remove', { name, force }),
    purge: async (onLine) => {
      const lines = callLines<Line<{ line: string }>>(socketPath, { method: 'POST', path: '/v1/purge' });
      await lastOf(lines, ({ line }) => onLine(line));
    },
    bootstrap: (body, onLine, signal) => {
      const lines = callLines<Line<{ line: string }>>(socketPath, {
        method: 'POST',
        path: '/v1/images/bootstrap',
        body,
        signal,
      });
      return lastOf(lines, ({ line }) => onLine(line));
    },
    buildImage: ({ spec, context }, { onEvent, signal: looking }) => {
      const stream = { type: 'application/vnd.bascule.build', content: bodyOf(spec, context) };
      const call: ApiRequest = { method: 'POST', path: '/v1/images/build', stream, signal: looking };
      return lastOf(callLines<Line<ImageBuildEvent>>(socketPath, call), onEvent);
    },
  };
}

function bodyOf(spec: ImageBuildSpec, context: Readable | undefined): string | Readable {
  const line = `${JSON.stringify(spec)}\n`;
  return context === undefined ? line : Readable.from(lineAndContext(line, context));
}

async function* lineAndContext(line: string, context: Readable): AsyncGenerator<Uint8Array> {
  yield Buffer.from(line);
  yield* context as AsyncIterable<Uint8Array>;
}

type Line<Event> = Event | { readonly result: unknown } | { readonly error: ApiErrorBody };

/** Hands on the events of a stream; gives its result, or throws its error. */
async function lastOf<T, Event>(lines: AsyncIterable<Line<Event>>, onEvent: (event: Event) => void): Promise<T> {
  for await (const line of lines) {
    if (isEnd(line)) return endOf<T>(line);
    onEvent(line as Event);
  }
  throw new Error('the daemon ended its answer without a result');
}

function isEnd(line: unknown): line is { result: unknown } | { error: ApiErrorBody } {
  return typeof line === 'object' && line !== null && ('result' in line || 'error' in line) && !('type' in line);
}

function endOf<T>(line: { result: unknown } | { error: ApiErrorBody }): T {
  if ('error' in line) throw new UserError(line.error);
  return line.result as T;
}

async function* statuses(
  socketPath: string,
  path: string,
  signal: AbortSignal,
): AsyncGenerator<Streamed<RolloutStatus>> {
  try {
    for await (const line of callLines<StatusLine>(socketPath, { method: 'GET', path, signal })) {
      if ('status' in line) yield line.status;
      else if ('error' in line) throw new UserError(line.error);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

type StatusLine =
  | { readonly status: Streamed<RolloutStatus> }
  | { readonly heartbeat: string }
  | { readonly result: null }
  | { readonly error: ApiErrorBody };

async function* logs(
  socketPath: string,
  path: string,
  o: { query: { services: readonly string[]; follow: boolean; tail?: number; since?: string }; signal: AbortSignal },
): AsyncGenerator<Streamed<LogLine>> {
  const { services, ...rest } = o.query;
  const call: ApiRequest = { method: 'GET', path, query: { service: services, ...rest }, signal: o.signal };
  for await (const line of callLines<Line<Streamed<LogLine>>>(socketPath, call)) {
    if (!isEnd(line)) yield line as Streamed<LogLine>;
    else if ('error' in line) endOf(line);
  }
}

async function openExec(socketPath: string, path: string, start: ExecStart): Promise<ExecConnection> {
  const socket = await callUpgrade(socketPath, { method: 'GET', path });
  socket.on('error', () => {}); // told by the end of `events`
  socket.write(encodeFrame('start', JSON.stringify(start)));
  return {
    write: (data) => void socket.write(encodeFrame('stdin', data)),
    endInput: () => void socket.write(encodeFrame('stdin-end')),
    resize: (size) => void socket.write(encodeFrame('resize', JSON.stringify(size))),
    events: execEvents(socket),
    close: () => void socket.destroy(),
  };
}

async function* execEvents(socket: Duplex): ExecConnection['events'] & AsyncGenerator {
  const frames = socket.pipe(frameDecoder());
  socket.once('close', () => frames.end()); // pipe() does not tell of a connection that broke
  for await (const frame of frames as AsyncIterable<Frame>) {
    const { kind, payload } = frame;
    if (kind === 'stdout' || kind === 'stderr') yield { kind, data: payload };
    if (kind === 'error') throw new UserError(JSON.parse(payload.toString('utf8')) as ApiErrorBody);
    if (kind === 'exit') {
      yield { kind, code: Number(payload.toString('utf8')) };
      return;
    }
  }
}
