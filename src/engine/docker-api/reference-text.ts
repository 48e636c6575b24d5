import { familiarName, familiarString, parseReference } from '../../lib/oci/index.ts';

/**
 * The familiar `name:tag` of the parameters `repo` and `tag`; undefined where there is no `repo`.
 * @throws UserError `invalid-reference`
 */
export function referenceOf(repo: string | undefined, tag: string | undefined): string | undefined {
  if (repo === undefined) return undefined;
  if (tag === undefined) return familiarString(parseReference(repo));
  const separator = tag.startsWith('sha256:') ? '@' : ':';
  return familiarString(parseReference(`${familiarName(parseReference(repo))}${separator}${tag}`));
}
