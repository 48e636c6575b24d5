/**
 * Runs the tests: unit tests side by side, then those with real parts two files at a time.
 * usage: npm test [-- unit|integration|scenarios|demo|PATH …]
 */
import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';

interface Suite {
  readonly name: string;
  readonly patterns: readonly string[];
  /** Files at a time. Those with real parts mostly wait: for grace periods, for instances that start. */
  readonly concurrency: number;
  readonly timeoutMs: number;
}

/** These change the machine's network, and look at it: never two of them at a time. */
const ON_THE_NETWORK = /\/(network|traffic)/;

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const SUITES: readonly Suite[] = [
  { name: 'unit', patterns: ['src/**/*.test.ts', 'test/*.test.ts'], concurrency: 4, timeoutMs: 120_000 },
  { name: 'integration', patterns: ['test/integration/**/*.test.ts'], concurrency: 2, timeoutMs: 600_000 },
  { name: 'scenarios', patterns: ['test/scenarios/**/*.test.ts'], concurrency: 2, timeoutMs: 900_000 },
];

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
for (const suite of chosenSuites(process.argv.slice(2))) await runSuite(suite, total);
for (const failure of failures) console.log(`failed: ${failure}`);
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
  const waiting = [...files];
  const running = new Set<string>();
  const worker = async (): Promise<void> => {
    for (let file = takeNext(waiting, running); file !== undefined; file = takeNext(waiting, running)) {
      running.add(file);
      process.stdout.write(await runFile(file, suite, counts));
      running.delete(file);
    }
  };
  await Promise.all(Array.from({ length: suite.concurrency }, worker));
  console.log(`== ${suite.name}: ${((performance.now() - started) / 1_000).toFixed(1)} s`);
}

function takeNext(waiting: string[], running: ReadonlySet<string>): string | undefined {
  const isTaken = [...running].some((file) => ON_THE_NETWORK.test(file));
  const index = waiting.findIndex((file) => !(isTaken && ON_THE_NETWORK.test(file)));
  return index < 0 ? undefined : waiting.splice(index, 1)[0];
}

/** What a file has to tell, in one piece; its own counts are left out. */
async function runFile(file: string, suite: Suite, counts: Counts): Promise<string> {
  const events = run({ files: [file], concurrency: false, timeout: suite.timeoutMs });
  events.on('test:pass', (event) => count(event, counts, 'passed'));
  events.on('test:fail', (event) => {
    count(event, counts, 'failed');
    if (event.details.type !== 'suite') failures.push(`${file}: ${event.name}`);
  });
  let text = '';
  for await (const line of events.compose(new spec())) text += String(line);
  return text.replace(/^ℹ (?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+\n/gm, '');
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
