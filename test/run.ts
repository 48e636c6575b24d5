/**
 * Runs the tests: unit tests side by side, then those with real parts one file at a time.
 * usage: npm test [-- unit|integration|scenarios|demo|PATH …]
 */
import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

interface Suite {
  readonly name: string;
  readonly patterns: readonly string[];
  /** Files at a time. Real parts share the machine's two cores and its network, so they go one by one. */
  readonly concurrency: number;
  readonly timeoutMs: number;
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const SUITES: readonly Suite[] = [
  { name: 'unit', patterns: ['src/**/*.test.ts', 'test/*.test.ts'], concurrency: 4, timeoutMs: 120_000 },
  { name: 'integration', patterns: ['test/integration/**/*.test.ts'], concurrency: 1, timeoutMs: 600_000 },
  { name: 'scenarios', patterns: ['test/scenarios/**/*.test.ts'], concurrency: 1, timeoutMs: 900_000 },
];

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
for (const suite of chosenSuites(process.argv.slice(2))) await runSuite(suite, total);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 && total.passed > 0 ? 0 : 1;

function chosenSuites(names: readonly string[]): readonly Suite[] {
  if (names.length === 0) return SUITES;
  const files = names.filter((name) => name.endsWith('.ts'));
  const unknown = names.filter((name) => !name.endsWith('.ts') && !SUITES.some((suite) => suite.name === name));
  if (unknown.length > 0) {
    console.error(`no suite "${unknown[0]}": one of ${SUITES.map((suite) => suite.name).join(', ')}, or test files`);
    process.exit(2);
  }
  const suites = SUITES.filter((suite) => names.includes(suite.name));
  return files.length === 0
    ? suites
    : [...suites, { name: 'files', patterns: files, concurrency: 1, timeoutMs: 900_000 }];
}

async function runSuite(suite: Suite, counts: Counts): Promise<void> {
  const files = suite.patterns.flatMap((pattern) => globSync(pattern)).sort();
  if (files.length === 0) return;
  const started = performance.now();
  console.log(`\n== ${suite.name}: ${files.length} files`);
  const events = run({ files, concurrency: suite.concurrency, timeout: suite.timeoutMs });
  events.on('test:pass', (event) => count(event, counts, 'passed'));
  events.on('test:fail', (event) => count(event, counts, 'failed'));
  for await (const line of events.compose(new spec())) process.stdout.write(String(line));
  console.log(`== ${suite.name}: ${((performance.now() - started) / 1_000).toFixed(1)} s`);
}

/** Suites (`describe`, files) are not tests of their own, unless they fail by themselves. */
function count(
  event: { skip?: string | boolean; todo?: string | boolean; details: { type?: string | undefined } },
  counts: Counts,
  outcome: 'passed' | 'failed',
): void {
  if (event.details.type === 'suite') return;
  if (event.skip !== undefined && event.skip !== false) counts.skipped += 1;
  else counts[outcome] += 1;
}
