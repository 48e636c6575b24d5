/**
 * Writes the tables of docs/docker-api.md: endpoints, as the router of the engine knows them, and flags of `docker run`
 * with the tests that drive the docker CLI with them.
 * usage: node scripts/docker-api-reference.ts [--check]      --check: only say whether they agree
 */
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { apiRouter } from '../src/engine/docker-api/routes.ts';
import type { Rooms } from '../src/engine/docker-api/rooms.ts';
import { ENDPOINTS, RUN_FLAGS, SHORT_FORMS } from './docker-api-surface.ts';
import { putTables } from './generated-tables.ts';

const FILE = 'docs/docker-api.md';
const TESTS = ['test/integration/{docker,network-docker,isolation}*.test.ts', 'test/support/docker-*.txt'];
const problems: string[] = [];

const isCurrent = putTables(FILE, { endpoints: endpointTable(), flags: flagTable() });
if (!isCurrent && process.argv.includes('--check'))
  problems.push(`${FILE} is not what the engine has: run \`node scripts/docker-api-reference.ts\``);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;

function endpointTable(): string {
  const router = apiRouter({} as Rooms); // only the patterns are asked for
  const isThere = (method: string, path: string): boolean =>
    router(method, path.replaceAll(/\{\w+\}/g, 'x')) !== undefined;
  const rows = Object.entries(ENDPOINTS).flatMap(([group, endpoints]) =>
    endpoints.map((line) => {
      const [endpoint = '', note = ''] = line.split(' ! ');
      const [method = '', path = ''] = endpoint.split(' ');
      const there = isThere(method, path);
      if (!there && note === '') problems.push(`${endpoint} is not there, and nothing says why`);
      return `| ${group} | \`${endpoint}\` | ${there ? 'yes' : 'no'} | ${note} |\n`;
    }),
  );
  return `| | endpoint | there | |\n| --- | --- | --- | --- |\n${rows.join('')}`;
}

function flagTable(): string {
  const named = namedInTests();
  const rows = Object.entries(RUN_FLAGS).map(([flag, note]) => {
    const tests = [...(named.get(flag) ?? [])].map((file) => `\`${file}\``).join(', ');
    const state = note.startsWith('refused') ? 'no' : 'yes';
    return `| \`${flag}\` | ${state} | ${note.replace(/^refused: /, '')} | ${tests} |\n`;
  });
  return `| flag | there | | driven by |\n| --- | --- | --- | --- |\n${rows.join('')}`;
}

/** Test files by the flags that stand in them as words of a command line. */
function namedInTests(): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  for (const file of TESTS.flatMap((pattern) => globSync(pattern)).toSorted()) {
    for (const [, word = ''] of readFileSync(file, 'utf8').matchAll(/(?<=['"` ])(--?[a-zA-Z][\w-]*)(?=['"`= ])/g)) {
      const flag = SHORT_FORMS[word] ?? word;
      if (flag in RUN_FLAGS) found.set(flag, (found.get(flag) ?? new Set()).add(basename(file)));
    }
  }
  return found;
}
