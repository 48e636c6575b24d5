import { registryNameOf } from '../../lib/docker-config/index.ts';
import type { FoundRepository } from '../registry/index.ts';
import type { Exchange } from './exchange.ts';
import { parseFilters, type Filters } from './filters.ts';
import { invalidParameter } from './http-errors.ts';
import { integerOf, textOf } from './query.ts';
import { credentialIn } from './registry-auth.ts';
import type { Rooms } from './rooms.ts';

const DEFAULT_LIMIT = 25;
const MOST = 100;

/** `docker search`: Docker Hub, or the registry that the term begins with (Docker Engine API, `GET /images/search`). */
export async function search({ registry }: Pick<Rooms, 'registry'>, exchange: Exchange): Promise<void> {
  const { query, headers, signal } = exchange;
  const text = textOf(query, 'term');
  if (text === undefined) throw invalidParameter('the term to search for is not given');
  const limit = integerOf(query, 'limit') || DEFAULT_LIMIT;
  if (limit < 1 || limit > MOST) throw invalidParameter(`limit ${limit} is outside the range of [1, ${MOST}]`);
  const filters = parseFilters(query.get('filters'), ['is-automated', 'is-official', 'stars']);
  const { domain, term } = placeOf(text);
  const credential = credentialIn(headers['x-registry-auth']);
  const found = await registry.search(domain, { term, limit, signal, ...(credential && { credential }) });
  exchange.reply(200, found.filter((each) => isWanted(each, filters)).map(shape));
}

/** A first part with a dot or a port is a registry, as in references; `library/` is how Docker Hub calls its own. */
function placeOf(text: string): { readonly domain: string; readonly term: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, Math.max(slash, 0));
  if (first.includes('.') || first.includes(':') || first === 'localhost')
    return { domain: registryNameOf(first), term: text.slice(slash + 1) };
  return { domain: 'docker.io', term: text.replace(/^library\//, '') };
}

function isWanted(each: FoundRepository, filters: Filters): boolean {
  const stars = Number(filters.get('stars')[0] ?? 0);
  if (!Number.isSafeInteger(stars)) throw invalidParameter(`invalid filter 'stars=${filters.get('stars')[0]}'`);
  return (
    each.stars >= stars &&
    (filters.flag('is-official') ?? each.isOfficial) === each.isOfficial &&
    (filters.flag('is-automated') ?? each.isAutomated) === each.isAutomated
  );
}

function shape(each: FoundRepository): object {
  return {
    star_count: each.stars,
    is_official: each.isOfficial,
    name: each.name,
    is_automated: each.isAutomated,
    description: each.description,
  };
}
