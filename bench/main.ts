/**
 * Measures Bascule, where there is a peer beside it in the same run.
 * usage: npm run bench [-- --docker-path DIR] [--runs N] [NAME …]
 *   NAME                start build build-context switch cli client deploy registry endurance proxy planning scale; without one: all of these
 *   scale               --containers 300 side by side, then --clients 50 at once for --seconds 120
 *   kills               SIGKILL of daemon, haproxy, conmon and instance at each step, --rounds N times (default 1);
 *                       --victims A,B: these only; --minutes M: ends then, wherever it stands; --more: adds to what
 *                       results/kills.json has
 *   analysis            simulates the analysis of canaries; writes the tables and pictures of docs/analysis.md
 *   --docker-path DIR   folder of another docker and dockerd than those on the PATH, e.g. of a newer release
 * Each measurement writes results/NAME.json; results/README.md and the plots are made of all that are there.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import { importBusybox, openMachine, startDockerd } from '../test/support/machine.ts';
import { simulate } from './analysis/main.ts';
import { measureBuild } from './build.ts';
import { measureBuildContext } from './build-context.ts';
import { measureCli } from './cli.ts';
import { measureClient } from './client.ts';
import { type Context, machineFacts } from './context.ts';
import { measureDeploy } from './deploy.ts';
import { measureEndurance } from './endurance.ts';
import { measurePlanning } from './planning.ts';
import { measureKills, victimsOf } from './kills.ts';
import { plotOf } from './plots.ts';
import { measureProxy } from './proxy.ts';
import { type Report, type Result, renderReports } from './result.ts';
import { measureRegistry } from './registry.ts';
import { measureScale } from './scale.ts';
import { measureStart } from './start.ts';
import { measureSwitch } from './switch.ts';

/** Beside a real dockerd. */
const BESIDE_DOCKER: Readonly<Record<string, (context: Context) => Promise<Result>>> = {
  start: measureStart,
  build: measureBuild,
  'build-context': measureBuildContext,
  switch: measureSwitch,
  cli: measureCli,
  client: measureClient,
  deploy: measureDeploy,
  registry: measureRegistry,
  endurance: measureEndurance,
};
const ALONE: Readonly<Record<string, () => Promise<Result>>> = {
  proxy: measureProxy,
  planning: measurePlanning,
  scale: () => measureScale(scaleOptions()),
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'docker-path': { type: 'string' },
    runs: { type: 'string', default: '15' },
    rounds: { type: 'string', default: '1' },
    victims: { type: 'string' },
    minutes: { type: 'string' },
    more: { type: 'boolean', default: false },
    containers: { type: 'string', default: '300' },
    clients: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '120' },
  },
});
const known = [...Object.keys(BESIDE_DOCKER), ...Object.keys(ALONE)];
const names = positionals.length === 0 ? known : positionals;
const unknown = names.find((name) => !['analysis', 'kills'].includes(name) && !known.includes(name));
if (unknown !== undefined) {
  console.error(`bench: no measurement "${unknown}": one of ${[...known, 'kills', 'analysis'].join(', ')}`);
  process.exit(2);
}
if (values['docker-path'] !== undefined)
  process.env['PATH'] = `${values['docker-path']}${delimiter}${process.env['PATH']}`;

const folder = join(import.meta.dirname, 'results');
mkdirSync(folder, { recursive: true });
for (const name of names.filter((each) => each in ALONE)) {
  console.error(`bench: ${name}`);
  write(await ALONE[name]!());
}
if (names.includes('analysis')) await simulate();
if (names.includes('kills')) {
  const before = values.more ? resultOf('kills') : undefined;
  write(await measureKills({ rounds: Number(values.rounds), before, ...boundsOf(values) }));
}
const beside = names.filter((each) => each in BESIDE_DOCKER);
if (beside.length > 0) await measureBeside(beside);
const reports = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .map((file) => reportOf(file))
  .filter((report): report is Report => report.result !== undefined);
const plots = new Map(reports.flatMap(({ result }) => [[result.name, plotOf(result)] as const]));
for (const [name, plot] of plots) if (plot !== undefined) writeFileSync(join(folder, `${name}.svg`), plot);
writeFileSync(join(folder, 'README.md'), renderReports(reports, plots));
console.log(
  renderReports(
    reports.filter(({ result }) => names.includes(result.name)),
    plots,
  ),
);

async function measureBeside(wanted: readonly string[]): Promise<void> {
  await using machine = await openMachine();
  await using dockerd = await startDockerd(join(machine.folder, '..', 'peer'));
  importBusybox(dockerd.socket, join(machine.folder, '..'));
  const { engineSocket } = await machine.json<{ engineSocket: string }>(['daemon', 'status']);
  const context: Context = { machine, engineSocket, dockerd, docker: 'docker', runs: Number(values.runs) };
  for (const name of wanted) {
    console.error(`bench: ${name}`);
    write(await BESIDE_DOCKER[name]!(context));
  }
}

function reportOf(file: string): Partial<Report> {
  return JSON.parse(readFileSync(join(folder, file), 'utf8')) as Partial<Report>;
}

function resultOf(name: string): Result | undefined {
  return existsSync(join(folder, `${name}.json`)) ? reportOf(`${name}.json`).result : undefined;
}

function boundsOf({ victims, minutes }: { readonly victims?: string; readonly minutes?: string }) {
  return { victims: victimsOf(victims), minutes: minutes === undefined ? Infinity : Number(minutes) };
}

function scaleOptions() {
  return {
    containers: Number(values.containers),
    clients: Number(values.clients),
    seconds: Number(values.seconds),
  };
}

function write(result: Result): void {
  const report: Report = { at: new Date().toISOString(), machine: machineFacts('docker', 'dockerd'), result };
  writeFileSync(join(folder, `${result.name}.json`), `${JSON.stringify(report, undefined, 1)}\n`);
}
