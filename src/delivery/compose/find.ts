/**
 * The Compose files to load out of the names in a folder: the first of compose.yaml, compose.yml,
 * docker-compose.yml, docker-compose.yaml, and its override. Empty when there is none.
 */
export function findComposeFile(_names: Iterable<string>): readonly string[] {
  return [];
}
