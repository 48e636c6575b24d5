import type { Writable } from 'node:stream';
import type { Change, Container } from '../runtime/index.ts';
import { doneTo } from './engine-events.ts';
import type { Exchange, Handed } from './exchange.ts';
import { pathStatHeader } from './file-mode.ts';
import { invalidParameter, unsupported } from './http-errors.ts';
import { flagOf, textOf } from './query.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';

type FileRooms = Pick<Rooms, 'runtime' | 'events'>;

const STAT_HEADER = 'x-docker-container-path-stat';
const CHANGE_KINDS: Readonly<Record<Change['kind'], number>> = { modified: 0, added: 1, deleted: 2 };

/** The files of a container: `docker cp`, `diff`, `export`. */
export function fileRoutes({ runtime, events }: FileRooms): readonly Route[] {
  const containerOf = (exchange: Exchange): Container => runtime.get(exchange.params['id'] ?? '');
  return [
    {
      method: 'HEAD',
      pattern: '/containers/{id}/archive',
      handle: async (exchange) => {
        const stat = await runtime.statPath(containerOf(exchange).id, pathOf(exchange));
        exchange.header(STAT_HEADER, pathStatHeader(stat));
        exchange.reply(200);
      },
    },
    {
      method: 'GET',
      pattern: '/containers/{id}/archive',
      handle: async (exchange) => {
        const container = containerOf(exchange);
        await sendTar(exchange, async (begin) => {
          await runtime.copyOut(container.id, pathOf(exchange), {
            signal: exchange.signal,
            begin: (stat) => {
              events.publish(doneTo(container, 'archive-path'));
              return begin({ [STAT_HEADER]: pathStatHeader(stat) });
            },
          });
        });
      },
    },
    {
      method: 'PUT',
      pattern: '/containers/{id}/archive',
      handle: async (exchange) => {
        const container = containerOf(exchange);
        const givesToUser = flagOf(exchange.query, 'copyUIDGID') && !isRoot(container.spec.user);
        if (givesToUser) throw unsupported('copying files for the user of the container (copyUIDGID, docker cp -a)');
        await runtime.copyIn(container.id, pathOf(exchange), exchange.body);
        events.publish(doneTo(container, 'extract-to-dir'));
        exchange.reply(200);
      },
    },
    {
      method: 'GET',
      pattern: '/containers/{id}/export',
      handle: async (exchange) => {
        const container = containerOf(exchange);
        events.publish(doneTo(container, 'export'));
        await sendTar(exchange, (begin) =>
          runtime.exportRoot(container.id, { signal: exchange.signal, begin: () => begin() }),
        );
      },
    },
    {
      method: 'GET',
      pattern: '/containers/{id}/changes',
      handle: async (exchange) => {
        const changes = await runtime.changes(containerOf(exchange).id);
        const rows = changes.map(({ kind, path }) => ({ Path: path, Kind: CHANGE_KINDS[kind] }));
        exchange.reply(200, rows.length > 0 ? rows : null);
      },
    },
  ];
}

/** With `copyUIDGID` files are given to the user of the container; root keeps the owners of the archive. */
function isRoot(user: string): boolean {
  return ['', '0', 'root', '0:0', 'root:root'].includes(user);
}

function pathOf({ query }: Exchange): string {
  const path = textOf(query, 'path');
  if (path === undefined) throw invalidParameter('bad parameter: path cannot be empty', 'Give the parameter path.');
  return path;
}

type Begin = (headers?: Readonly<Record<string, string>>) => Promise<Writable>;

/** What fails before the answer has begun is told; behind that the connection ends early. */
async function sendTar(exchange: Exchange, write: (begin: Begin) => Promise<void>): Promise<void> {
  let handed: Handed | undefined;
  await write(async (headers) => {
    handed = await exchange.handOver('application/x-tar', headers);
    return handed.sink;
  });
  handed?.end();
}
