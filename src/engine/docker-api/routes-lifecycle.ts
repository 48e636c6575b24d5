import { UserError } from '../../lib/errors.ts';
import type { Container, StopOptions, UpdateRequest, WaitCondition } from '../runtime/index.ts';
import { isUp } from './container-filters.ts';
import { containerNameOf } from './container-spec.ts';
import { parseHostConfig } from './create-request.ts';
import { doneTo } from './engine-events.ts';
import type { Exchange } from './exchange.ts';
import { checkHostConfig } from './host-config-check.ts';
import { invalidParameter } from './http-errors.ts';
import { integerOf, textOf } from './query.ts';
import { resourcesOf, restartPolicyOf } from './resources-spec.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { speaksAtLeast } from './versions.ts';

type LifecycleRooms = Pick<Rooms, 'runtime' | 'host' | 'events'>;
type Work = (container: Container, exchange: Exchange) => Promise<void> | void;

/** What is done to a container that is there. */
export function lifecycleRoutes({ runtime, host, events }: LifecycleRooms): readonly Route[] {
  const on = (method: string, action: string, work: Work): Route => ({
    method,
    pattern: `/containers/{id}/${action}`,
    handle: (exchange) => work(runtime.get(exchange.params['id'] ?? ''), exchange),
  });
  return [
    on('POST', 'start', async (container, exchange) => {
      if (container.state.status === 'paused') throw isPaused();
      if (isUp(container)) return exchange.reply(304);
      await runtime.start(container.id);
      exchange.reply(204);
    }),
    on('POST', 'stop', async (container, exchange) => {
      if (!isUp(container)) return exchange.reply(304);
      await runtime.stop(container.id, stopOptionsOf(exchange));
      exchange.reply(204);
    }),
    on('POST', 'restart', async (container, exchange) => {
      await runtime.restart(container.id, stopOptionsOf(exchange));
      exchange.reply(204);
    }),
    on('POST', 'kill', async (container, exchange) => {
      await runtime
        .kill(container.id, textOf(exchange.query, 'signal') ?? 'SIGKILL')
        .catch(saying(`cannot kill container: ${exchange.params['id'] ?? ''}`));
      exchange.reply(204);
    }),
    on('POST', 'pause', async (container, exchange) => {
      await runtime.pause(container.id);
      exchange.reply(204);
    }),
    on('POST', 'unpause', async (container, exchange) => {
      await runtime.unpause(container.id);
      exchange.reply(204);
    }),
    on('POST', 'rename', async (container, exchange) => {
      const name = textOf(exchange.query, 'name');
      if (name === undefined) throw invalidParameter('Neither old nor new names may be empty');
      if (containerNameOf(name) === container.spec.name) {
        throw invalidParameter('Renaming a container with the same name as its current name');
      }
      await runtime.rename(container.id, containerNameOf(name)).catch(saying('Error when allocating new name'));
      exchange.reply(204);
    }),
    on('POST', 'update', async (container, exchange) => {
      await runtime.update(container.id, updateRequestOf(await exchange.json(), host.onlineCpus));
      exchange.reply(200, { Warnings: null });
    }),
    on('POST', 'wait', (container, exchange) => wait({ runtime }, container, exchange)),
    on('GET', 'top', async (container, exchange) => {
      const { titles, rows } = await runtime.top(container.id, psArgumentsOf(exchange));
      events.publish(doneTo(container, 'top'));
      exchange.reply(200, { Processes: rows, Titles: titles });
    }),
  ];
}

function psArgumentsOf(exchange: Exchange): readonly string[] {
  return (textOf(exchange.query, 'ps_args') ?? '-ef').split(/\s+/).filter((word) => word !== '');
}

function stopOptionsOf(exchange: Exchange): StopOptions {
  const { query } = exchange;
  const timeoutSeconds = integerOf(query, 't');
  const signal = speaksAtLeast(exchange, '1.42') ? textOf(query, 'signal') : undefined;
  return { ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }), ...(signal === undefined ? {} : { signal }) };
}

/** Only what is given is changed. @throws UserError `invalid-parameter`, `unsupported` */
function updateRequestOf(body: Record<string, unknown>, onlineCpus: number): UpdateRequest {
  const hostConfig = parseHostConfig(body);
  checkHostConfig(hostConfig);
  const resources = resourcesOf(hostConfig, onlineCpus);
  return {
    ...(Object.keys(resources).length > 0 ? { resources } : {}),
    ...(hostConfig.RestartPolicy?.Name ? { restartPolicy: restartPolicyOf(hostConfig) } : {}),
  };
}

const CONDITIONS: readonly WaitCondition[] = ['not-running', 'next-exit', 'removed'];

/** The head goes out as soon as the waiting has begun: `docker run` starts the container after it has it. */
async function wait({ runtime }: Pick<Rooms, 'runtime'>, container: Container, exchange: Exchange): Promise<void> {
  const asked = speaksAtLeast(exchange, '1.30') ? textOf(exchange.query, 'condition') : undefined;
  const text = asked ?? 'not-running';
  const condition = CONDITIONS.find((known) => known === text);
  if (condition === undefined)
    throw invalidParameter(`invalid condition: "${text}"`, `One of ${CONDITIONS.join(', ')}.`);
  const ended = runtime.wait(container.id, condition, exchange.signal);
  const sink = exchange.stream('application/json');
  const { exitCode, error } = await ended;
  const reason = condition === 'removed' || error === undefined ? {} : { Error: { Message: error } };
  sink.end(`${JSON.stringify({ ...reason, StatusCode: exitCode })}\n`);
}

function isPaused(): UserError {
  return new UserError({
    code: 'container-paused',
    kind: 'conflict',
    message: 'cannot start a paused container, try unpause instead',
    fix: 'Unpause it.',
  });
}

/** Docker says which work failed before why: `cannot kill container: web: container … is not running`. */
function saying(what: string) {
  return (error: unknown): never => {
    if (!(error instanceof UserError) || (error.kind !== 'conflict' && error.kind !== 'invalid')) throw error;
    const { code, kind, fix, details } = error;
    const message = `${what}: ${error.message}`;
    throw new UserError({ code, kind, message, fix, details, cause: error });
  };
}
