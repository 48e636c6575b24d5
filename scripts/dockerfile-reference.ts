/**
 * Writes the tables of docs/dockerfile.md: every instruction, flag and key that the parser knows, with the tests that
 * show it, and every build check. A test says what it shows by a comment above it: `// shows: COPY --link, ADD --link`.
 * usage: node scripts/dockerfile-reference.ts [--check]      --check: only say whether they agree
 */
import { globSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { RULES } from '../src/engine/build/dockerfile/checks/rules.ts';
import { MOUNT_KEYS } from '../src/engine/build/dockerfile/run-mount.ts';
import { FLAGS, KEYWORDS } from '../src/engine/build/dockerfile/statement.ts';
import { nearestWord } from '../src/lib/nearest.ts';
import { MEANINGS, REFUSED } from './dockerfile-meanings.ts';
import { putTables } from './generated-tables.ts';

const FILE = 'docs/dockerfile.md';
const TESTS = ['src/engine/build/**/*.test.ts', 'src/lib/*.test.ts', 'test/integration/*.test.ts'];

const parsed = [
  ...KEYWORDS,
  ...Object.entries(FLAGS).flatMap(([keyword, flags]) =>
    Object.keys(flags).map((flag) => `${keyword.toUpperCase()} --${flag}`),
  ),
  ...Object.entries(MOUNT_KEYS).flatMap(([type, keys]) => [
    `RUN --mount=type=${type}`,
    ...keys.map((key) => `RUN --mount=type=${type},${key}`),
  ]),
];
const problems: string[] = [];
const shown = shownBy();
for (const item of parsed)
  if (!(item in MEANINGS)) problems.push(`${item} has no meaning in scripts/dockerfile-meanings.ts`);
for (const item of Object.keys(MEANINGS)) {
  if (!shown.has(item)) problems.push(`no test shows ${item}`);
}

const isCurrent = putTables(FILE, { instructions: instructionTable(), checks: checkTable() });
if (!isCurrent && process.argv.includes('--check'))
  problems.push(`${FILE} is not what the tests show: run \`node scripts/dockerfile-reference.ts\``);
for (const problem of problems) console.error(problem);
process.exitCode = problems.length === 0 ? 0 : 1;

/** Test files by what they show. */
function shownBy(): ReadonlyMap<string, readonly string[]> {
  const found = new Map<string, Set<string>>();
  for (const file of TESTS.flatMap((pattern) => globSync(pattern)).toSorted()) {
    for (const [, list = ''] of readFileSync(file, 'utf8').matchAll(/^\s*\/\/ shows: (.+)$/gm)) {
      for (const item of list.split(/, (?=[A-Z#$.]|here-doc|predef|platform)/)) {
        if (!(item in MEANINGS)) problems.push(unknown(file, item));
        found.set(item, (found.get(item) ?? new Set()).add(basename(file)));
      }
    }
  }
  return new Map([...found].map(([item, files]) => [item, [...files]]));
}

function unknown(file: string, item: string): string {
  const near = nearestWord(item, Object.keys(MEANINGS));
  return `${file} shows "${item}", which is nothing${near === undefined ? '' : `; did you mean ${near}?`}`;
}

function instructionTable(): string {
  const rows = Object.entries(MEANINGS).map(([item, meaning]) => {
    const state = item in REFUSED ? `refused: ${REFUSED[item]}` : 'works';
    const tests = (shown.get(item) ?? []).map((file) => `\`${file}\``).join(', ');
    return `| \`${item.replaceAll('|', '\\|')}\` | ${meaning} | ${state} | ${tests} |\n`;
  });
  return `| | meaning | state | shown by |\n| --- | --- | --- | --- |\n${rows.join('')}`;
}

function checkTable(): string {
  const rows = Object.entries(RULES).map(
    ([name, { finds, isExperimental }]) =>
      `| \`${name}\` | ${finds}${isExperimental ? ' Experimental: off by default.' : ''} |\n`,
  );
  return `| check | what it finds |\n| --- | --- |\n${rows.join('')}`;
}
