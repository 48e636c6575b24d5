import { UserError } from '../../lib/errors.ts';
import type { Exchange } from './exchange.ts';
import { EVENT_FILTERS, eventMatches, eventText, type EngineEvent } from './engine-events.ts';
import { parseFilters } from './filters.ts';
import { unsupported } from './http-errors.ts';
import { momentOf } from './query.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { infoOf, versionOf } from './shape-system.ts';
import { writeTo } from './writing.ts';

export function systemRoutes(rooms: Rooms): readonly Route[] {
  return [
    { method: 'GET', pattern: '/_ping', handle: ping },
    { method: 'HEAD', pattern: '/_ping', handle: ping },
    { method: 'GET', pattern: '/version', handle: (exchange) => exchange.reply(200, versionOf(rooms)) },
    {
      method: 'GET',
      pattern: '/info',
      handle: (exchange) => exchange.reply(200, infoOf(rooms, { now: new Date(), apiVersion: exchange.apiVersion })),
    },
    { method: 'GET', pattern: '/events', handle: (exchange) => streamEvents(rooms, exchange) },
    ...pluginRoutes(),
    ...swarmRoutes(),
  ];
}

function ping(exchange: Exchange): void {
  exchange.header('Builder-Version', '1');
  exchange.header('Swarm', 'inactive');
  exchange.header('Cache-Control', 'no-cache, no-store, must-revalidate');
  exchange.header('Pragma', 'no-cache');
  exchange.stream('text/plain; charset=utf-8', { 'content-length': '2' }).end(exchange.method === 'HEAD' ? '' : 'OK');
}

/** `GET /events`: what is kept since `since`, then what comes until `until`, without a gap between them. */
async function streamEvents({ events }: Rooms, exchange: Exchange): Promise<void> {
  const filters = parseFilters(exchange.query.get('filters'), EVENT_FILTERS);
  const since = momentOf(exchange.query, 'since');
  const until = momentOf(exchange.query, 'until');
  const isWanted = (event: EngineEvent): boolean => eventMatches(event, filters) && isBefore(event, until);
  const isLive = since === undefined && until === undefined;
  const queue = isLive ? [] : events.past().filter((event) => isWanted(event) && isSince(event, since));
  let wake = (): void => {};
  const stop = events.listen((event) => {
    if (isWanted(event)) queue.push(event);
    wake();
  });
  let isTimeUp = false;
  const timer = until === undefined ? undefined : setTimeout(() => endAt(), delayTo(until));
  const endAt = (): void => {
    isTimeUp = true;
    wake();
  };
  const isOver = (): boolean => exchange.signal.aborted || isTimeUp || (until !== undefined && delayTo(until) === 0);
  exchange.signal.addEventListener('abort', () => wake());
  const sink = exchange.stream('application/json');
  try {
    for (;;) {
      for (let event = queue.shift(); event !== undefined; event = queue.shift()) {
        if (!(await writeTo(sink, eventText(event), exchange.signal))) return;
      }
      if (isOver()) break;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    sink.end();
  } finally {
    stop();
    clearTimeout(timer);
  }
}

function isBefore(event: EngineEvent, moment: Date | undefined): boolean {
  return moment === undefined || event.atNs < BigInt(Math.floor(moment.getTime())) * 1_000_000n;
}

/** Milliseconds from now, within what a timer can wait. */
function delayTo(moment: Date): number {
  return Math.min(Math.max(0, moment.getTime() - Date.now()), 2 ** 31 - 1);
}

function isSince(event: EngineEvent, moment: Date | undefined): boolean {
  return moment === undefined || !isBefore(event, moment);
}

/** There are none, and none can be had. */
function pluginRoutes(): readonly Route[] {
  const missing = (exchange: Exchange): never => {
    const name = (exchange.params['rest'] ?? '').split('/')[0] ?? '';
    throw new UserError({
      code: 'plugin-not-found',
      kind: 'not-found',
      message: `plugin "${name}" not found`,
      fix: 'Bascule has no plugins: its drivers are built in.',
    });
  };
  return [
    { method: 'GET', pattern: '/plugins', handle: (exchange) => exchange.reply(200, []) },
    { method: 'GET', pattern: '/plugins/privileges', handle: (exchange) => exchange.reply(200, []) },
    ...['GET', 'POST', 'DELETE'].map((method) => ({ method, pattern: '/plugins/{rest*}', handle: missing })),
  ];
}

const SWARM_PATHS = ['/swarm', '/nodes', '/services', '/tasks', '/configs', '/secrets'];

function swarmRoutes(): readonly Route[] {
  const paths = SWARM_PATHS.flatMap((path) => [path, `${path}/{rest*}`]);
  return [
    { method: 'POST', pattern: '/swarm/leave', handle: refuseLeaving },
    { method: 'PUT', pattern: '/volumes/{name}', handle: refuseClusterVolume },
    ...['/swarm/init', '/swarm/join'].map((pattern) => ({ method: 'POST', pattern, handle: refuseJoining })),
    ...['GET', 'POST', 'DELETE'].flatMap((method) =>
      paths.map((pattern) => ({ method, pattern, handle: refuseSwarm })),
    ),
  ];
}

const SWARM_FIX = "Bascule's engine is one machine; point --engine at a Swarm to deploy there.";

function refuseJoining(): void {
  throw unsupported('Swarm', SWARM_FIX);
}

function refuseLeaving(): void {
  throw new UserError({
    code: 'not-in-a-swarm',
    kind: 'unavailable',
    message: 'This node is not part of a swarm',
    fix: SWARM_FIX,
  });
}

function refuseClusterVolume(): void {
  throw new UserError({
    code: 'not-in-a-swarm',
    kind: 'unavailable',
    message: 'volume update only valid for cluster volumes, but swarm is unavailable',
    fix: SWARM_FIX,
  });
}

function refuseSwarm(): void {
  throw new UserError({
    code: 'not-a-swarm-manager',
    kind: 'unavailable',
    message:
      'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    fix: SWARM_FIX,
  });
}
