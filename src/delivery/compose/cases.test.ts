import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { UserError } from '../../lib/errors.ts';
import { loadProject } from './load.ts';
import { renderProject } from './render.ts';
import { assertSupported } from './unsupported.ts';

/** What docker compose 2.40.3 made of real files; `/BASE` stands for the file's folder. */
interface Case {
  readonly dir: string;
  readonly files: readonly string[];
  readonly src: string;
  readonly ok: boolean;
  readonly expected: Record<string, unknown> | null;
  readonly error: string | null;
}

type Outcome = 'equal' | 'refused' | 'unsupported' | 'differing';

const repository = resolve(import.meta.dirname, '../../..');
const data = join(process.env['BASCULE_SHARED'] ?? join(repository, '../shared'), 'data/compose');
const FLOOR = { equal: 0, refused: 0 };

test(
  'real Compose files give the model that docker compose gives',
  { skip: !existsSync(data) && `no test data at ${data}` },
  (context) => {
    const cases = readFileSync(join(data, 'cases.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Case);
    const counts: Record<Outcome, number> = { equal: 0, refused: 0, unsupported: 0, differing: 0 };
    const runnable = { yes: 0, no: 0 };
    for (const one of cases) {
      const { outcome, reason } = compare(one);
      counts[outcome] += 1;
      if (outcome === 'differing') context.diagnostic(`${one.src}: ${reason}`);
      if (outcome === 'equal') runnable[canRun(one) ? 'yes' : 'no'] += 1;
    }
    context.diagnostic(
      `${cases.length} cases: ${JSON.stringify(counts)}; of the equal ones runnable: ${JSON.stringify(runnable)}`,
    );
    assert.ok(counts.equal >= FLOOR.equal, `equal: ${counts.equal}, floor ${FLOOR.equal}`);
    assert.ok(counts.refused >= FLOOR.refused, `refused as expected: ${counts.refused}, floor ${FLOOR.refused}`);
  },
);

function compare(one: Case): { readonly outcome: Outcome; readonly reason?: string } {
  try {
    const rendered = comparable(renderProject(load(one)));
    if (!one.ok) return { outcome: 'differing', reason: `accepted; docker compose says: ${one.error}` };
    const expected = comparable(JSON.parse(JSON.stringify(one.expected).replaceAll('/BASE', join(data, one.dir))));
    assert.deepEqual(rendered, expected);
    return { outcome: 'equal' };
  } catch (error) {
    if (!(error instanceof UserError)) return { outcome: 'differing', reason: String(error) };
    if (error.code === 'compose-unsupported') return { outcome: 'unsupported' };
    return one.ok ? { outcome: 'differing', reason: error.message } : { outcome: 'refused' };
  }
}

function load(one: Case) {
  const directory = join(data, one.dir);
  const files = one.files.map((name) => ({
    path: join(directory, name),
    text: readFileSync(join(directory, name), 'utf8'),
  }));
  return loadProject({ files, directory, projectName: 'p', environment: { HOME: '/root' }, profiles: [], readText });
}

function canRun(one: Case): boolean {
  try {
    assertSupported(load(one));
    return true;
  } catch {
    return false;
  }
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
