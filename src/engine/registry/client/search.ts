import { z } from 'zod';
import { discard } from './answers.ts';
import { bodyOf } from './download.ts';
import { invalidAnswer } from './errors.ts';
import type { FoundRepository, SearchOptions } from './face.ts';
import { namesIn } from './pages.ts';
import type { Repository } from './repository.ts';

const MAX_ANSWER_BYTES = 4 * 1024 * 1024;

const AnswerSchema = z.object({
  results: z.array(
    z.object({
      name: z.string(),
      description: z.string().nullish(),
      star_count: z.number().nullish(),
      is_official: z.boolean().nullish(),
      is_automated: z.boolean().nullish(),
    }),
  ),
});

/**
 * Repositories whose name has the term. Docker Hub and some others answer `/v1/search`; of a registry that does not, the
 * catalogue is looked through.
 * @param registry the registry as such
 */
export async function searchIn(registry: Repository, o: SearchOptions): Promise<readonly FoundRepository[]> {
  const url = new URL('/v1/search', await registry.origin());
  url.searchParams.set('q', o.term);
  url.searchParams.set('n', String(o.limit));
  const answer = await registry.call({ method: 'GET', at: url, expect: [200, 404, 405], what: 'its search' });
  if (answer.status === 200) return found(registry, await bodyOf(registry, bounded(answer)), o);
  await discard(answer.body);
  return await lookThrough(registry, o);
}

function bounded(answer: Parameters<typeof bodyOf>[1]['answer']): Parameters<typeof bodyOf>[1] {
  return { answer, maxBytes: MAX_ANSWER_BYTES, what: 'the answer of its search' };
}

function found(registry: Repository, bytes: Buffer, { limit }: SearchOptions): readonly FoundRepository[] {
  const parsed = AnswerSchema.safeParse(jsonOf(bytes));
  if (!parsed.success) throw invalidAnswer(registry.registry, 'its answer to a search is none');
  return parsed.data.results.slice(0, limit).map((each) => ({
    name: each.name,
    description: each.description ?? '',
    stars: each.star_count ?? 0,
    isOfficial: each.is_official ?? false,
    isAutomated: each.is_automated ?? false,
  }));
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}

async function lookThrough(registry: Repository, { term, limit }: SearchOptions): Promise<readonly FoundRepository[]> {
  const results: FoundRepository[] = [];
  for await (const page of namesIn(registry, { at: '_catalog', key: 'repositories', what: 'its catalogue' })) {
    for (const name of page ?? [])
      if (name.includes(term.toLowerCase()))
        results.push({ name, description: '', stars: 0, isOfficial: false, isAutomated: false });
    if (results.length >= limit) break;
  }
  return results.slice(0, limit);
}
