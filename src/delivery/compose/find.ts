const NAMES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
const OVERRIDES = [
  'compose.override.yaml',
  'compose.override.yml',
  'docker-compose.override.yml',
  'docker-compose.override.yaml',
];

/**
 * The Compose files to load out of the names in a folder, in merge order: the first of compose.yaml, compose.yml,
 * docker-compose.yml, docker-compose.yaml, and the first override of the like. Empty when there is none.
 */
export function findComposeFile(names: Iterable<string>): readonly string[] {
  const present = new Set(names);
  const main = NAMES.find((name) => present.has(name));
  if (main === undefined) return [];
  const override = OVERRIDES.find((name) => present.has(name));
  return override === undefined ? [main] : [main, override];
}
