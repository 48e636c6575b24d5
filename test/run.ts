/**
 * Runs the tests: unit tests side by side, then those with real parts two files at a time. A file that failed beside
 * others runs once more, alone; what passes only then is named as unsteady (docs/decisions/0015-unsteady-tests.md).
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

/** More files than that did not fail by chance. */
const MOST_ONCE_MORE = 3;

interface Outcome {
  readonly file: string;
  readonly suite: Suite;
  readonly counts: Counts;
  /** Names of the tests. */
  readonly failures: readonly string[];
  /** What the file has to tell, in one piece; its own counts are left out. */
  readonly text: string;
}

const outcomes: Outcome[] = [];
for (const suite of chosenSuites(process.argv.slice(2))) outcomes.push(...(await runSuite(suite)));
const failed = outcomes.filter((outcome) => outcome.failures.length > 0);
const last = failed.length > MOST_ONCE_MORE ? failed : await runOnceMore(failed);
for (const first of failed.filter((_, index) => last[index]?.failures.length === 0))
  for (const name of first.failures)
    console.log(`unsteady, failed beside other tests and passed alone: ${first.file}: ${name}`);
for (const { file, failures } of last) for (const name of failures) console.log(`failed: ${file}: ${name}`);
const total = sum([...outcomes.filter((outcome) => !failed.includes(outcome)), ...last]);
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

async function runSuite(suite: Suite): Promise<readonly Outcome[]> {
  const files = suite.patterns.flatMap((pattern) => globSync(pattern)).sort();
  if (files.length === 0) return [];
  const started = performance.now();
  console.log(`\n== ${suite.name}: ${files.length} files`);
  const done: Outcome[] = [];
  const waiting = [...files];
  const running = new Set<string>();
  const worker = async (): Promise<void> => {
    for (let file = takeNext(waiting, running); file !== undefined; file = takeNext(waiting, running)) {
      running.add(file);
      const outcome = await runFile(file, suite);
      process.stdout.write(outcome.text);
      done.push(outcome);
      running.delete(file);
    }
  };
  await Promise.all(Array.from({ length: suite.concurrency }, worker));
  console.log(`== ${suite.name}: ${((performance.now() - started) / 1_000).toFixed(1)} s`);
  return done;
}

async function runOnceMore(failed: readonly Outcome[]): Promise<readonly Outcome[]> {
  const again: Outcome[] = [];
  for (const { file, suite } of failed) {
    console.log(`\n== once more, alone: ${file}`);
    const outcome = await runFile(file, suite);
    process.stdout.write(outcome.text);
    again.push(outcome);
  }
  return again;
}

function takeNext(waiting: string[], running: ReadonlySet<string>): string | undefined {
  const isTaken = [...running].some((file) => ON_THE_NETWORK.test(file));
  const index = waiting.findIndex((file) => !(isTaken && ON_THE_NETWORK.test(file)));
  return index < 0 ? undefined : waiting.splice(index, 1)[0];
}

async function runFile(file: string, suite: Suite): Promise<Outcome> {
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  const failures: string[] = [];
  const events = run({ files: [file], concurrency: false, timeout: suite.timeoutMs });
  events.on('test:pass', (event) => countPass(event, counts));
  events.on('test:fail', (event) => {
    if (isOfItsTests(event)) return;
    counts.failed += 1;
    failures.push(event.name);
  });
  let text = '';
  for await (const line of events.compose(new spec())) text += String(line);
  text = text.replace(/^ℹ (?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+\n/gm, '');
  return { file, suite, counts, failures, text };
}

function sum(outcomes: readonly Outcome[]): Counts {
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { counts } of outcomes)
    for (const key of ['passed', 'failed', 'skipped'] as const) total[key] += counts[key];
  return total;
}

/** Suites (`describe`, files) are not tests of their own. */
function countPass(event: { skip?: string | boolean; details: { type?: string | undefined } }, counts: Counts): void {
  if (event.details.type === 'suite') return;
  if (event.skip !== undefined && event.skip !== false) counts.skipped += 1;
  else counts.passed += 1;
}

/** Whether a suite fails only since tests in it do: those are counted. One whose hook fails, fails by itself. */
function isOfItsTests({ details }: { details: { type?: string | undefined; error: Error } }): boolean {
  return details.type === 'suite' && 'failureType' in details.error && details.error.failureType === 'subtestsFailed';
}
