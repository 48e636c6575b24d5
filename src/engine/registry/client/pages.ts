import { discard } from './answers.ts';
import { bodyOf } from './download.ts';
import { invalidAnswer } from './errors.ts';
import type { Repository } from './repository.ts';

const MAX_PAGE_BYTES = 16 * 1024 * 1024;
const MAX_PAGES = 1_000;

interface Listing {
  /** After `/v2/…/`. */
  readonly at: string;
  /** The list in each page: `tags`, `repositories`. */
  readonly key: string;
  /** For people, e.g. `the tags of debian`. */
  readonly what: string;
}

/**
 * The names of a list that comes page by page (OCI Distribution Specification, "Content Discovery"); undefined where the
 * registry has no such list.
 */
export async function* namesIn(repository: Repository, o: Listing): AsyncGenerator<readonly string[] | undefined> {
  let at: string | URL = o.at;
  for (let page = 0; page < MAX_PAGES; page++) {
    const answer = await repository.call({ method: 'GET', at, expect: [200, 404], what: o.what });
    if (answer.status === 404) {
      await discard(answer.body);
      yield undefined;
      return;
    }
    const bytes = await bodyOf(repository, { answer, maxBytes: MAX_PAGE_BYTES, what: o.what });
    yield namesOf(bytes, { ...o, repository });
    const next = /<([^>]+)>\s*;\s*rel="?next"?/.exec(String(answer.headers['link'] ?? ''))?.[1];
    if (next === undefined) return;
    at = repository.addressOf(next, await repository.origin());
  }
  throw invalidAnswer(repository.registry, `its list of ${o.key} has no end`);
}

/** Tags have at most 128 characters, names of repositories 255. */
function isName(value: unknown): value is string {
  return typeof value === 'string' && value.length <= 255;
}

function namesOf(bytes: Buffer, { key, repository }: Listing & { readonly repository: Repository }): readonly string[] {
  try {
    const names = (JSON.parse(bytes.toString()) as Record<string, unknown>)[key];
    if (names === null || names === undefined) return [];
    if (Array.isArray(names) && names.every(isName)) return names;
  } catch {
    // said below
  }
  throw invalidAnswer(repository.registry, `its list of ${key} is none`);
}
