import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { machineFacts } from '../context.ts';
import { runAll, SEED } from './crew.ts';
import { experimentsOf } from './experiments.ts';
import type { Findings } from './findings.ts';
import { plotsOf } from './plots.ts';
import { tablesOf } from './tables.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const RESULTS = join(ROOT, 'bench', 'results', 'analysis.json');
const IMAGES = join(ROOT, 'docs', 'images', 'analysis');
const DOCUMENT = join(ROOT, 'docs', 'analysis.md');

/** Simulates the analysis and its peers; writes raw results, pictures, and the tables of docs/analysis.md. */
export async function simulate(scale = 1): Promise<void> {
  const started = performance.now();
  const experiments = experimentsOf(scale);
  const findings: Findings = { experiments, decisions: await runAll(experiments) };
  const seconds = Math.round((performance.now() - started) / 1_000);
  writeFileSync(RESULTS, `${resultsOf(findings, seconds)}\n`);
  mkdirSync(IMAGES, { recursive: true });
  for (const [name, picture] of Object.entries(plotsOf(findings))) writeFileSync(join(IMAGES, name), picture);
  const tables = tablesOf(findings);
  writeFileSync(DOCUMENT, withTables(readFileSync(DOCUMENT, 'utf8'), tables));
  for (const [name, table] of Object.entries(tables)) console.log(`\n${name}\n\n${table}`);
  console.error(`bench: analysis took ${seconds} s`);
}

/** Raw: requests to the candidate at each decision; runs without one are missing. One line an experiment. */
function resultsOf({ experiments, decisions }: Findings, seconds: number): string {
  const { processor, memory, kernel, system, node, revision } = machineFacts('docker', 'dockerd');
  const lines = experiments.map((experiment) => {
    const own = Object.entries(decisions.get(experiment.name) ?? {});
    const decided = Object.fromEntries(own.map(([judge, all]) => [judge, all.filter((each) => each !== null)]));
    return JSON.stringify({ ...experiment, decided });
  });
  const head = {
    at: new Date().toISOString(),
    seconds,
    seed: SEED,
    machine: { processor, memory, kernel, system, node, revision },
  };
  return `${JSON.stringify(head).slice(0, -1)},"experiments":[\n${lines.join(',\n')}\n]}`;
}

/** Replaces what stands between `<!-- generated: name -->` and `<!-- end -->`. */
function withTables(text: string, tables: Readonly<Record<string, string>>): string {
  return Object.entries(tables).reduce((before, [name, table]) => {
    const begin = `<!-- generated: ${name} -->\n`;
    const from = before.indexOf(begin);
    const to = before.indexOf('<!-- end -->', from);
    if (from < 0 || to < 0) throw new Error(`docs/analysis.md has no place for the table "${name}"`);
    return `${before.slice(0, from)}${begin}\n${table}\n\n${before.slice(to)}`;
  }, text);
}
