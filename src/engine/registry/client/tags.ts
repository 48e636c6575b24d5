import { discard } from './answers.ts';
import { bodyOf } from './download.ts';
import { invalidAnswer, manifestUnknown } from './errors.ts';
import type { Repository } from './repository.ts';

const MAX_PAGE_BYTES = 16 * 1024 * 1024;
const MAX_PAGES = 1_000;
/** Of a repository; who has more serves nobody. */
const MAX_TAGS = 1_000_000;

/** All tags of a repository, sorted; they come page by page (OCI Distribution Specification, "Content Discovery"). */
export async function listTags(repository: Repository, name: string): Promise<readonly string[]> {
  const tags = new Set<string>();
  let at: string | URL = 'tags/list';
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer = await repository.call({ method: 'GET', at, expect: [200, 404], what: `the tags of ${name}` });
    if (answer.status === 404) {
      await discard(answer.body);
      throw manifestUnknown(name);
    }
    const bytes = await bodyOf(repository, { answer, maxBytes: MAX_PAGE_BYTES, what: 'the list of tags' });
    for (const tag of tagsIn(bytes, repository)) tags.add(tag);
    if (tags.size > MAX_TAGS) break;
    const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(answer.headers['link'] ?? ''))?.[1];
    if (next === undefined) return [...tags].toSorted();
    at = repository.addressOf(next, await repository.origin());
  }
  throw invalidAnswer(repository.registry, 'its list of tags has no end');
}

function tagsIn(bytes: Buffer, repository: Repository): readonly string[] {
  try {
    const { tags } = JSON.parse(bytes.toString()) as { tags?: unknown };
    if (tags === null || tags === undefined) return [];
    if (Array.isArray(tags) && tags.every((tag) => typeof tag === 'string')) return tags;
  } catch {
    // said below
  }
  throw invalidAnswer(repository.registry, 'its list of tags is none');
}
