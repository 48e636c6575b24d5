import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { UserError } from '../../lib/errors.ts';
import { loadProject } from './load.ts';
import type { Project } from './project.ts';
import { renderProject } from './render.ts';
import { unsupportedIn } from './unsupported.ts';

/** What docker compose 2.40.3 made of real files; `/BASE` stands for the file's folder. */
interface Case {
  readonly dir: string;
  readonly files: readonly string[];
  readonly src: string;
  readonly ok: boolean;
  readonly expected: Record<string, unknown> | null;
  readonly error: string | null;
}

type Outcome = 'equal' | 'refused' | 'unsupported' | 'deviating' | 'differing';

const repository = resolve(import.meta.dirname, '../../..');
const data = join(process.env['BASCULE_SHARED'] ?? join(repository, '../shared'), 'data/compose');
const FLOOR = { equal: 87, refused: 42 };
/** Where we decided to be different from docker compose 2.40.3. */
const DEVIATIONS: Readonly<Record<string, string>> = {
  'compose-go/testdata/include/project-directory.yaml':
    'docker compose joins a relative project_directory of an include twice, so that its paths lead nowhere',
};
const none = !existsSync(data) && `no test data at ${data}`;

test('real Compose files give the model that docker compose gives', { skip: none }, (context) => {
  const cases = readCases();
  const counts: Record<Outcome, number> = { equal: 0, refused: 0, unsupported: 0, deviating: 0, differing: 0 };
  let runnable = 0;
  for (const one of cases) {
    const { outcome, reason } = compare(one);
    counts[outcome] += 1;
    if (reason !== undefined) context.diagnostic(`${outcome}: ${one.src}: ${reason}`);
    if (outcome === 'equal' && unsupportedIn(load(one)).length === 0) runnable += 1;
  }
  context.diagnostic(`${cases.length} cases: ${JSON.stringify(counts)}; ${runnable} of the equal ones can be run`);
  assert.equal(counts.differing, 0);
  assert.ok(counts.equal >= FLOOR.equal, `equal: ${counts.equal}, floor ${FLOOR.equal}`);
  assert.ok(counts.refused >= FLOOR.refused, `refused as expected: ${counts.refused}, floor ${FLOOR.refused}`);
});

test('a rendered project loads again as the same project', { skip: none }, () => {
  // Its `dockerfile: ${MYVAR}` is empty: docker compose prints none, which then means the default one.
  const changes = 'compose-e2e/simple-build-test/compose-interpolate.yaml';
  for (const one of readCases().filter(({ ok, src }) => ok && src !== changes)) {
    const rendered = renderProject(load(one));
    const files = [{ path: '/elsewhere/compose.yaml', text: JSON.stringify(rendered) }];
    const again = loadProject({ files, directory: '/elsewhere', environment: {}, profiles: ['*'], readText });
    assert.deepEqual(renderProject(again), rendered, one.src);
  }
});

function readCases(): readonly Case[] {
  const lines = readFileSync(join(data, 'cases.jsonl'), 'utf8').trim().split('\n');
  return lines.map((line) => JSON.parse(line) as Case);
}

function compare(one: Case): { readonly outcome: Outcome; readonly reason?: string } {
  try {
    const project = load(one);
    if (!one.ok) return refusedLater(one, project);
    const expected = JSON.parse(JSON.stringify(one.expected).replaceAll('/BASE', join(data, one.dir))) as unknown;
    assert.deepEqual(comparable(renderProject(project)), comparable(expected));
    return { outcome: 'equal' };
  } catch (error) {
    const known = DEVIATIONS[one.src];
    if (known !== undefined) return { outcome: 'deviating', reason: known };
    if (!(error instanceof UserError)) return { outcome: 'differing', reason: String(error) };
    return one.ok ? { outcome: 'differing', reason: error.message } : { outcome: 'refused' };
  }
}

/** docker compose refuses it, and the loader does not: then at least it must not run. */
function refusedLater(one: Case, project: Project): { readonly outcome: Outcome; readonly reason: string } {
  const [first] = unsupportedIn(project);
  if (first === undefined) return { outcome: 'differing', reason: `accepted; docker compose says: ${one.error}` };
  return { outcome: 'unsupported', reason: `${first.path}: ${first.reason} (docker compose says: ${one.error})` };
}

function load(one: Case): Project {
  const directory = join(data, one.dir);
  const files = one.files.map((name) => ({
    path: join(directory, name),
    text: readFileSync(join(directory, name), 'utf8'),
  }));
  return loadProject({ files, directory, projectName: 'p', environment: { HOME: '/root' }, profiles: [], readText });
}

function readText(path: string): string | undefined {
  return existsSync(path) && statSync(path).isFile() ? readFileSync(path, 'utf8') : undefined;
}

/** Without `x-*` keys below the top level, which docker compose does not print. */
function comparable(value: unknown, depth = 0): unknown {
  if (Array.isArray(value)) return value.map((item) => comparable(item, depth + 1));
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => depth === 0 || !key.startsWith('x-'));
  return Object.fromEntries(entries.map(([key, item]) => [key, comparable(item, depth + 1)]));
}
