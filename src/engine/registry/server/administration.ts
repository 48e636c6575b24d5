import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { messageOf, UserError } from '../../../lib/errors.ts';
import type { Log } from '../../../lib/log.ts';
import type { RegistryServer } from './face.ts';

type Work = (registry: RegistryServer, query: URLSearchParams) => object | Promise<object>;

/** What `bascule registry …` asks of the process that serves, by method and path. */
const WORKS: Readonly<Record<string, Work>> = {
  'GET /status': (registry) => registry.status(),
  'GET /repositories': (registry) => registry.repositories(),
  'GET /tags': (registry, query) => registry.tags(query.get('repository') ?? ''),
  'DELETE /manifest': async (registry, query) => {
    await registry.remove(query.get('repository') ?? '', query.get('reference') ?? '');
    return {};
  },
  'POST /collect': (registry, query) =>
    registry.collect({ dryRun: query.get('dryRun') === 'true', untagged: query.get('untagged') === 'true' }),
};

/** JSON over a socket that only root may open. Errors have the shape of Bascule's own API. */
export function createAdministration(registry: RegistryServer, log: Log): Server {
  return createServer((request, response) => void serve(registry, { request, response, log }));
}

async function serve(
  registry: RegistryServer,
  { request, response, log }: { request: IncomingMessage; response: ServerResponse; log: Log },
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://registry');
  try {
    const work = WORKS[`${request.method} ${url.pathname}`];
    if (work === undefined) return answer(response, 404, { error: { message: 'there is no such call' } });
    answer(response, 200, await work(registry, url.searchParams));
  } catch (error) {
    if (!(error instanceof UserError)) log.error({ err: error }, 'registry: administration failed');
    answer(response, error instanceof UserError ? 400 : 500, { error: shapeOf(error) });
  }
}

function shapeOf(error: unknown): object {
  if (error instanceof UserError) {
    const { code, kind, message, fix, details } = error;
    return { code, kind, message, fix, details };
  }
  return { code: 'bug', kind: 'failed', message: messageOf(error), fix: 'Read the log of the registry.' };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
