import { invalidAnswer, manifestUnknown } from './errors.ts';
import { namesIn } from './pages.ts';
import type { Repository } from './repository.ts';

/** Of a repository; who has more serves nobody. */
const MAX_TAGS = 1_000_000;

/** All tags of a repository, sorted. */
export async function listTags(repository: Repository, name: string): Promise<readonly string[]> {
  const tags = new Set<string>();
  for await (const page of namesIn(repository, { at: 'tags/list', key: 'tags', what: `the tags of ${name}` })) {
    if (page === undefined) throw manifestUnknown(name);
    for (const tag of page) tags.add(tag);
    if (tags.size > MAX_TAGS) throw invalidAnswer(repository.registry, 'its list of tags has no end');
  }
  return [...tags].toSorted();
}
