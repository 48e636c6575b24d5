import Docker from 'dockerode';
import { UserError } from '../../../lib/errors.ts';
import type { Log } from '../../../lib/log.ts';
import type { Scope } from '../../../lib/scope.ts';
import type { ExecOptions, ExecStreams, Fleet, FleetEvent, FleetInfo, LogEntry, LogOptions } from '../fleet.ts';
import type { InstanceSpec } from '../instance-spec.ts';
import { call, callUnless } from './call.ts';
import { buildImage, findImage, resolveImage, tagImage, untagImage } from './images.ts';
import { connect, createNetwork, createVolume, disconnect, removeNetwork, removeVolume } from './networks.ts';
import { inspectInstance, observeProject } from './observe.ts';
import { type Owner, ownerFilter, ownerOf } from './owner.ts';
import { type EngineAbilities, renderContainer } from './render-container.ts';
import { chunksOf, jsonLinesOf, linesOf } from './streams.ts';

export interface DockerFleetOptions {
  /** Absolute path of the engine's socket. */
  readonly socketPath: string;
  /** Several daemons may share one engine: each sees only what it made. */
  readonly scope: Pick<Scope, 'suffix'>;
  readonly log: Log;
}

/** A fleet behind any Docker Engine API socket: the embedded engine's, dockerd's, Podman's. */
export function openDockerFleet(o: DockerFleetOptions): Fleet {
  const docker = new Docker({ socketPath: o.socketPath });
  const owner = ownerOf(o.scope);
  const info = once(() => readInfo(docker));
  const abilities = async (): Promise<EngineAbilities> => ({ rotatesLogs: !(await info()).embedded });
  return {
    kind: 'docker',
    info,
    observe: (project) => observeProject(docker, owner, project),
    inspect: (instance) => inspectInstance(docker, owner, instance),
    buildImage: async (build) => await buildImage(docker, build, (await info()).embedded),
    resolveImage: (reference, options) => resolveImage(docker, reference, options),
    findImage: (reference) => findImage(docker, reference),
    tagImage: (imageId, reference) => tagImage(docker, imageId, reference),
    untagImage: (reference) => untagImage(docker, reference),
    createNetwork: (network) => createNetwork(docker, owner, network),
    removeNetwork: (name) => removeNetwork(docker, owner, name),
    connect: (instance, attachment) => connect(docker, instance, attachment),
    disconnect: (instance, network) => disconnect(docker, instance, network),
    createVolume: (volume) => createVolume(docker, owner, volume),
    removeVolume: (name) => removeVolume(docker, name),
    createInstance: async (spec) => await createInstance(docker, owner, { spec, engine: await abilities() }),
    startInstance: (name) => callUnless([304], `start ${name}`, () => docker.getContainer(name).start()),
    stopInstance: (name, signal) =>
      callUnless([304, 404], `stop ${name}`, () =>
        docker.getContainer(name).stop(signal === undefined ? {} : { abortSignal: signal }),
      ),
    removeInstance: (name) =>
      callUnless([404, 409], `remove ${name}`, () => docker.getContainer(name).remove({ force: true, v: true })),
    logs: (instance, options) => logs(docker, instance, options),
    exec: (instance, options) => exec(docker, instance, options),
    events: (signal) => events(docker, owner, signal),
  };
}

async function readInfo(docker: Docker): Promise<FleetInfo> {
  const version = await call('ask the engine for its version', () => docker.version());
  const engine = version.Components?.[0]?.Name ?? 'Docker';
  return { engine, version: version.Version, embedded: engine === 'Bascule' };
}

/** Remembers the first success; a failure is tried again. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let known: Promise<T> | undefined;
  return () => {
    known ??= work().catch((error: unknown) => {
      known = undefined;
      throw error;
    });
    return known;
  };
}

interface NewInstance {
  readonly spec: InstanceSpec;
  readonly engine: EngineAbilities;
}

/**
 * Creates it with its first network, and connects the others. One that is there already is completed; a container of
 * somebody else with this name is the engine's conflict.
 */
async function createInstance(docker: Docker, owner: Owner, { spec, engine }: NewInstance): Promise<void> {
  if (!(await isThere(docker, owner, spec))) await createContainer(docker, owner, { spec, engine });
  if (spec.network.mode !== 'networks') return;
  for (const attachment of spec.network.attachments.slice(1)) await connect(docker, spec.name, attachment);
}

/** A daemon that was killed may have asked for it: the engine makes it while we look. */
async function createContainer(docker: Docker, owner: Owner, { spec, engine }: NewInstance): Promise<void> {
  const labelled = { ...spec, labels: { ...spec.labels, ...owner } };
  try {
    await call(`create ${spec.name}`, () => docker.createContainer(renderContainer(labelled, engine)));
  } catch (error) {
    const isConflict = error instanceof UserError && error.kind === 'conflict';
    if (!isConflict || !(await isThere(docker, owner, spec))) throw error;
  }
}

const OWNERSHIP = ['bascule.project', 'bascule.service', 'bascule.identity'];

async function isThere(docker: Docker, owner: Owner, spec: InstanceSpec): Promise<boolean> {
  const seen = await inspectInstance(docker, owner, spec.name);
  return seen !== undefined && OWNERSHIP.every((label) => seen.labels[label] === spec.labels[label]);
}

async function* logs(docker: Docker, instance: string, o: LogOptions): AsyncGenerator<LogEntry> {
  const container = docker.getContainer(instance);
  const { Config: config } = await call(`inspect ${instance}`, () => container.inspect());
  const query = {
    follow: true as const, // without it the client library collects everything in memory
    stdout: true,
    stderr: true,
    timestamps: true,
    abortSignal: o.signal,
    ...(o.tail === undefined ? {} : { tail: o.tail }),
    ...(o.since === undefined ? {} : { since: o.since.getTime() / 1_000 }),
  };
  const stream = o.follow
    ? await call(`read the logs of ${instance}`, () => container.logs(query))
    : await call(`read the logs of ${instance}`, () => container.logs({ ...query, follow: false }));
  const source = Buffer.isBuffer(stream) ? [stream] : (stream as AsyncIterable<Buffer>);
  yield* untilAborted(linesOf(chunksOf(source as AsyncIterable<Buffer>, config.Tty)), o.signal);
}

async function* untilAborted<T>(source: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  try {
    yield* source;
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

async function exec(docker: Docker, instance: string, o: ExecOptions): Promise<ExecStreams> {
  const execution = await call(`run ${o.args[0] ?? ''} in ${instance}`, () =>
    docker.getContainer(instance).exec({
      Cmd: [...o.args],
      Env: Object.entries(o.env).map(([name, value]) => `${name}=${value}`),
      Tty: o.tty,
      AttachStdin: o.attachStdin,
      AttachStdout: true,
      AttachStderr: true,
      ...(o.user === undefined ? {} : { User: o.user }),
      ...(o.workingDirectory === undefined ? {} : { WorkingDir: o.workingDirectory }),
    }),
  );
  // Engines before API 1.42 do not look at the size: they learn it by `resize`.
  const size = o.size === undefined ? {} : { ConsoleSize: [o.size.rows, o.size.columns] };
  const stream = await call(`run ${o.args[0] ?? ''} in ${instance}`, () =>
    execution.start({ hijack: true, stdin: o.attachStdin, Tty: o.tty, ...size }),
  );
  const ended = new Promise<void>((resolve) => {
    stream.once('end', resolve);
    stream.once('close', resolve);
    stream.once('error', () => resolve());
  });
  return {
    stdin: stream,
    output: chunksOf(stream, o.tty),
    exit: ended.then(async () => (await execution.inspect()).ExitCode ?? 0),
    resize: async ({ columns, rows }) => {
      await execution.resize({ w: columns, h: rows });
    },
  };
}

async function* events(docker: Docker, owner: Owner, signal: AbortSignal): AsyncGenerator<FleetEvent> {
  const filters = { type: ['container'], label: ['bascule.project', ...ownerFilter(owner)] };
  const stream = await call('watch events', () =>
    docker.getEvents({ filters, abortSignal: signal } as Docker.GetEventsOptions),
  );
  for await (const message of untilAborted(jsonLinesOf(stream as AsyncIterable<Buffer>), signal)) {
    const { Action: action, Actor: actor, timeNano = 0 } = message as EngineEvent;
    const { name = '', 'bascule.project': project = '' } = actor?.Attributes ?? {};
    yield { action: action ?? '', instance: name, project, at: new Date(timeNano / 1e6) };
  }
}

interface EngineEvent {
  readonly Action?: string;
  readonly Actor?: { readonly Attributes?: Readonly<Record<string, string>> };
  readonly timeNano?: number;
}
