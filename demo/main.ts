/**
 * The main job from end to end, on a real application under load: up, a second version, a third that never becomes
 * healthy, rollback, a SIGKILL of the daemon in the middle of a deployment, a canary that is worse; then the evidence.
 * usage: npm run demo [-- --keep] [-- --engine unix:///var/run/docker.sock]
 */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { bascule, type CommandResult } from '../test/support/bascule.ts';
import { startLoad, type Load, type LoadReport } from '../test/support/load.ts';
import { waitFor } from '../test/support/wait.ts';

const { values: options } = parseArgs({
  options: {
    keep: { type: 'boolean', default: false },
    engine: { type: 'string' },
    root: { type: 'string', default: '/var/lib/bascule-demo' },
  },
});

const EXAMPLE = join(import.meta.dirname, '..', 'examples', 'shop');
const folder = mkdtempSync(join(tmpdir(), 'bascule-demo-'));
const shop = join(folder, 'shop');
const port = await freePort();
const engineWords = options.engine === undefined ? [] : ['--engine', options.engine];
let version = '1.0';
let load: Load | undefined;

process.exitCode = await main();

async function main(): Promise<number> {
  if (process.geteuid?.() !== 0) {
    console.error('demo: root is needed (it mounts file systems and makes networks): sudo npm run demo');
    return 6;
  }
  const started = performance.now();
  try {
    cpSync(EXAMPLE, shop, { recursive: true });
    await show();
    say(`done in ${((performance.now() - started) / 1_000).toFixed(0)} s`);
    return 0;
  } catch (error) {
    console.error(`\ndemo: FAILED: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    await load?.stop();
    await cleanUp();
  }
}

async function show(): Promise<void> {
  chapter('A base image, from Debian packages');
  await must(['image', 'bootstrap', 'debian:bookworm'], { quiet: true });

  chapter('Version 1.0: build, freeze release 1, start, route');
  await must(['up']);
  await serves('1.0');

  chapter('Load on it, from now on until the end');
  load = await startLoad({
    url: `http://127.0.0.1:${port}/`,
    connections: 8,
    ratePerSecond: 200,
    newConnectionShare: 0.25,
    version: { from: 'header', name: 'x-version' },
  });
  const running = load;
  await waitFor(async () => (await running.snapshot()).requests > 100, { timeoutMs: 20_000, what: 'the load runs' });

  chapter('Version 2.0, beside version 1.0; then traffic tips over');
  version = '2.0';
  await must(['deploy']);
  await serves('2.0');

  chapter('Version 3.0 never becomes healthy: version 2.0 keeps serving');
  version = '3.0';
  breakHealth();
  await mustFail(['deploy']);
  await serves('2.0');
  repairHealth();

  chapter('Rollback: version 1.0 is still warm');
  await must(['rollback']);
  await serves('1.0');

  chapter('Version 4.0, and the daemon is killed (SIGKILL) in the middle');
  version = '4.0';
  await killedInTheMiddle();
  await serves('4.0');

  chapter('Version 5.0 as a canary: it fails every third time, 5 % of the clients see it, and it is taken back');
  version = '5.0';
  breakPage();
  await mustFail(['deploy', '--strategy', 'canary']);
  await serves('4.0');

  chapter('The evidence');
  const report = await load.stop();
  load = undefined;
  printReport(report);
  await must(['ps']);
  await must(['ledger', '--all']);
  const answered = report.losses['app-error']; // by version 5.0 itself, with 500
  if (report.lost > answered) throw new Error(`${report.lost - answered} of ${report.requests} requests were lost`);
  if (answered > report.requests / 100)
    throw new Error(`the canary spoiled ${answered} of ${report.requests} requests`);
}

/** Ends the daemon at the first instance that has started; the next command starts it again, and it resumes. */
async function killedInTheMiddle(): Promise<void> {
  const { pid } = JSON.parse((await run(['daemon', 'status', '--json'], { quiet: true })).stdout) as { pid: number };
  let killed = false;
  const cut = await run(['deploy', '--json'], {
    quiet: true,
    onLine: (line) => {
      const event = JSON.parse(line) as { type?: string; step?: { kind: string; title: string } };
      if (killed || event.type !== 'step-started' || event.step?.kind !== 'wait-healthy') return;
      killed = true;
      process.kill(pid, 'SIGKILL');
      say(`SIGKILL to the daemon (pid ${pid}) at the step "${event.step.title}"`);
    },
  });
  if (!killed || cut.exitCode === 0) throw new Error('the deployment ended before the daemon could be killed');
  say('starting the daemon again');
  await must(['daemon', 'start']);
  await waitFor(async () => (await currentRelease())?.rollout === undefined, {
    timeoutMs: 120_000,
    intervalMs: 200,
    what: 'the interrupted rollout is carried on to its end',
  });
}

async function currentRelease(): Promise<{ release?: number; rollout?: object }> {
  return JSON.parse((await run(['ps', '--json'], { quiet: true })).stdout) as { release?: number; rollout?: object };
}

function printReport(report: LoadReport): void {
  const failed = report.losses['app-error'];
  say(`requests ${report.requests}, lost ${report.lost - failed}, failed by the canary itself ${failed}`);
  console.log(JSON.stringify(report, undefined, 2));
}

async function serves(expected: string): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(5_000) });
  const seen = response.headers.get('x-version');
  await response.arrayBuffer();
  if (!response.ok || seen !== expected)
    throw new Error(`version ${seen} serves (${response.status}), not ${expected}`);
  say(`http://127.0.0.1:${port}/ serves version ${seen}`);
}

function breakHealth(): void {
  edit((text) => text.replace('    store.ping()\n', '    raise RuntimeError("this version is broken")\n'));
}

function repairHealth(): void {
  edit((text) => text.replace('    raise RuntimeError("this version is broken")\n', '    store.ping()\n'));
}

function breakPage(): void {
  const line = '    visits = store.incr("visits")\n';
  edit((text) =>
    text.replace(line, `${line}    if visits % 3 == 0:\n        raise RuntimeError("broken now and then")\n`),
  );
}

function edit(change: (text: string) => string): void {
  const path = join(shop, 'web', 'app.py');
  writeFileSync(path, change(readFileSync(path, 'utf8')));
}

interface Shown {
  readonly quiet?: boolean;
  onLine?(line: string): void;
}

async function run(words: readonly string[], shown: Shown = {}): Promise<CommandResult> {
  return bascule(options.root, [...words, ...engineWords], {
    cwd: shop,
    env: { SHOP_PORT: String(port), SHOP_VERSION: version },
    onLine: (line) => {
      shown.onLine?.(line);
      if (shown.quiet !== true) console.log(`  ${line}`);
    },
  });
}

async function must(words: readonly string[], shown: Shown = {}): Promise<CommandResult> {
  console.log(`$ bascule ${words.join(' ')}`);
  const result = await run(words, shown);
  if (result.stdout !== '' && shown.quiet !== true) console.log(result.stdout.replace(/^/gm, '  '));
  if (result.exitCode !== 0)
    throw new Error(`bascule ${words.join(' ')} ended with ${result.exitCode}: ${result.stderr}`);
  return result;
}

async function mustFail(words: readonly string[]): Promise<void> {
  console.log(`$ bascule ${words.join(' ')}`);
  const { exitCode } = await run(words);
  if (exitCode === 0) throw new Error(`bascule ${words.join(' ')} should have failed`);
  say(`it ended with exit code ${exitCode}, as it should`);
}

async function cleanUp(): Promise<void> {
  if (options.keep) {
    say(`kept: cd ${shop}; export BASCULE_ROOT=${options.root} SHOP_PORT=${port}; bascule ps`);
    say('to remove it: bascule purge --yes');
    return;
  }
  chapter('Leaving nothing behind');
  const result = await run(['purge', '--yes'], { quiet: true });
  if (result.exitCode !== 0) console.error(`demo: cleaning up failed: ${result.stderr}`);
  rmSync(folder, { recursive: true, force: true });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}

function chapter(title: string): void {
  console.log(`\n=== ${title}`);
}

function say(text: string): void {
  console.log(`--> ${text}`);
}
