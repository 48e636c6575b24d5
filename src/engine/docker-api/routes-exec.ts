import { z } from 'zod';
import { UserError } from '../../lib/errors.ts';
import type { Exec, ExecRequest, ExecStreams } from '../runtime/index.ts';
import type { Exchange } from './exchange.ts';
import { frameOf } from './frames.ts';
import { invalidParameter } from './http-errors.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { speaksAtLeast } from './versions.ts';
import { feedInput, sendOutput, streamTypeOf, terminalSizeOf } from './routes-streams.ts';

type ExecRooms = Pick<Rooms, 'runtime'>;

/** Exit codes of commands that could not be started, by exec id: the runtime has none for them. */
type FailedStarts = Map<string, number>;

/** Sizes of terminals that were given with the exec, for its start. */
type Sizes = Map<string, NonNullable<ReturnType<typeof consoleSizeOf>>>;

/** As many as clients may still ask for. */
const MOST_KEPT = 256;
const CANNOT_START = 126;

export function execRoutes(rooms: ExecRooms): readonly Route[] {
  const { runtime } = rooms;
  const failed: FailedStarts = new Map();
  const sizes: Sizes = new Map();
  const idOf = (exchange: Exchange): string => exchange.params['id'] ?? '';
  return [
    { method: 'POST', pattern: '/containers/{id}/exec', handle: (exchange) => create(rooms, exchange, sizes) },
    { method: 'POST', pattern: '/exec/{id}/start', handle: (exchange) => start(rooms, exchange, { failed, sizes }) },
    {
      method: 'POST',
      pattern: '/exec/{id}/resize',
      handle: async (exchange) => {
        await runtime.resizeExec(idOf(exchange), terminalSizeOf(exchange));
        exchange.reply(200); // as dockerd does, whatever its reference says
      },
    },
    {
      method: 'GET',
      pattern: '/exec/{id}/json',
      handle: (exchange) => exchange.reply(200, inspectExec(runtime.inspectExec(idOf(exchange)), failed)),
    },
  ];
}

const createBody = z.looseObject({
  AttachStdin: z.boolean().nullish(),
  Tty: z.boolean().nullish(),
  Cmd: z.union([z.array(z.string()), z.string().transform((word) => [word])]).nullish(),
  Env: z.array(z.string()).nullish(),
  Privileged: z.boolean().nullish(),
  User: z.string().nullish(),
  WorkingDir: z.string().nullish(),
  DetachKeys: z.string().nullish(),
});

async function create({ runtime }: ExecRooms, exchange: Exchange, sizes: Sizes): Promise<void> {
  const body = await exchange.json();
  const result = createBody.safeParse(body);
  if (!result.success)
    throw invalidParameter(`${result.error.issues[0]?.path.join('.')}: ${result.error.issues[0]?.message}`);
  if ((result.data.Cmd ?? []).length === 0) throw invalidParameter('No exec command specified', 'Give the field Cmd.');
  const name = exchange.params['id'] ?? '';
  const { id, state } = runtime.get(name);
  if (state.status === 'paused') throw isPaused(name);
  const exec = runtime.createExec(id, execRequestOf(result.data));
  const size = speaksAtLeast(exchange, '1.42') ? consoleSizeOf(body['ConsoleSize']) : undefined;
  if (size !== undefined) keep(sizes, exec.id, size);
  exchange.reply(201, { Id: exec.id });
}

function isPaused(name: string): UserError {
  return new UserError({
    code: 'container-paused',
    kind: 'conflict',
    message: `Container ${name} is paused, unpause the container before exec`,
    fix: 'Unpause it.',
  });
}

function execRequestOf(body: z.infer<typeof createBody>): ExecRequest {
  return {
    args: body.Cmd ?? [],
    ...(body.Env ? { env: body.Env } : {}),
    ...(body.WorkingDir ? { workingDirectory: body.WorkingDir } : {}),
    ...(body.User ? { user: body.User } : {}),
    tty: body.Tty ?? false,
    attachStdin: body.AttachStdin ?? false,
    privileged: body.Privileged ?? false,
    ...(body.DetachKeys ? { detachKeys: body.DetachKeys } : {}),
  };
}

async function start(
  { runtime }: ExecRooms,
  exchange: Exchange,
  { failed, sizes }: { readonly failed: FailedStarts; readonly sizes: Sizes },
): Promise<void> {
  const body = await exchange.json();
  const exec = runtime.inspectExec(exchange.params['id'] ?? '');
  const size = consoleSizeOf(body['ConsoleSize']) ?? sizes.get(exec.id);
  sizes.delete(exec.id);
  const isDetached = body['Detach'] === true;
  const streams = await runtime.startExec(exec.id, size === undefined ? {} : { size }).catch((error: unknown) => {
    if (isDetached || !isCommandsFault(error)) throw error;
    remember(failed, exec.id, error);
    sayOnStream(exchange, exec, error);
  });
  if (streams === undefined) return;
  if (isDetached) {
    void drain(streams);
    exchange.reply(200);
    return;
  }
  const tty = exec.request.tty === true;
  const connection = exchange.hijack(streamTypeOf(exchange, tty));
  feedInput(connection, exec.request.attachStdin === true ? streams : {});
  if (!(await sendOutput(connection, streams.output, { tty, signal: exchange.signal }))) {
    void drain(streams);
    return;
  }
  await streams.exit; // the client asks for the exit code as soon as its stream ends
  connection.output.end();
}

/** What the command cannot do (no such program, user, folder), as opposed to what the request is wrong about. */
function isCommandsFault(error: unknown): error is UserError {
  return error instanceof UserError && error.kind !== 'not-found' && error.kind !== 'conflict';
}

function remember(failed: FailedStarts, id: string, error: UserError): void {
  const told = error.details['exitCode'];
  keep(failed, id, typeof told === 'number' ? told : CANNOT_START);
}

function keep<T>(kept: Map<string, T>, id: string, value: T): void {
  kept.set(id, value);
  const [oldest] = kept.keys();
  if (kept.size > MOST_KEPT && oldest !== undefined) kept.delete(oldest);
}

/** Clients have asked for a raw stream and print what comes on it; then they ask for the exit code. */
function sayOnStream(exchange: Exchange, exec: Exec, error: UserError): void {
  const text = Buffer.from(`OCI runtime exec failed: ${error.message}\r\n`);
  const { output, input } = exchange.hijack(streamTypeOf(exchange, exec.request.tty === true));
  input.on('error', () => {}).resume();
  output.end(exec.request.tty === true ? text : frameOf('stderr', text));
}

/** A process whose client went away or never listened runs on, as Docker has it. */
async function drain(streams: ExecStreams): Promise<void> {
  streams.stdin.on('error', () => {});
  streams.stdin.end();
  try {
    for await (const _piece of streams.output);
  } catch {
    // nobody listens: the exec's record tells how it ended
  }
}

function consoleSizeOf(value: unknown): { columns: number; rows: number } | undefined {
  if (!Array.isArray(value) || value.length !== 2) return undefined;
  const [rows, columns] = value.map(Number);
  return rows && columns ? { rows, columns } : undefined;
}

/** `GET /exec/{id}/json` (API 1.51). */
function inspectExec(exec: Exec, failed: FailedStarts): object {
  const [entrypoint = '', ...args] = exec.request.args;
  return {
    ID: exec.id,
    Running: exec.running,
    ExitCode: exec.exitCode ?? failed.get(exec.id) ?? null,
    ProcessConfig: {
      tty: exec.request.tty ?? false,
      entrypoint,
      arguments: args,
      privileged: exec.request.privileged ?? false,
      ...(exec.request.user === undefined ? {} : { user: exec.request.user }),
    },
    OpenStdin: exec.request.attachStdin ?? false,
    OpenStderr: true,
    OpenStdout: true,
    CanRemove: false,
    ContainerID: exec.containerId,
    DetachKeys: exec.request.detachKeys ?? '',
    Pid: exec.pid,
  };
}
