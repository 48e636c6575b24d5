/**
 * Measures Bascule beside a real dockerd in the same run.
 * usage: npm run bench [-- --docker-path DIR] [--runs N] [start|build|switch|cli …]
 *   --docker-path DIR   folder of another docker and dockerd than those on the PATH, e.g. of a newer release
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { parseArgs } from 'node:util';
import { importBusybox, openMachine, startDockerd } from '../test/support/machine.ts';
import { measureBuild } from './build.ts';
import { measureCli } from './cli.ts';
import { type Context, machineFacts } from './context.ts';
import { renderReport, type Report, type Result } from './result.ts';
import { measureStart } from './start.ts';
import { measureSwitch } from './switch.ts';

const MEASUREMENTS: Readonly<Record<string, (context: Context) => Result | Promise<Result>>> = {
  start: measureStart,
  build: measureBuild,
  switch: measureSwitch,
  cli: measureCli,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { 'docker-path': { type: 'string' }, runs: { type: 'string', default: '15' } },
});
const names = positionals.length === 0 ? Object.keys(MEASUREMENTS) : positionals;
const unknown = names.find((name) => !(name in MEASUREMENTS));
if (unknown !== undefined) {
  console.error(`bench: no measurement "${unknown}": one of ${Object.keys(MEASUREMENTS).join(', ')}`);
  process.exit(2);
}
if (values['docker-path'] !== undefined)
  process.env['PATH'] = `${values['docker-path']}${delimiter}${process.env['PATH']}`;

const report = await measure();
const folder = join(import.meta.dirname, 'results');
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, 'latest.json'), `${JSON.stringify(report, undefined, 1)}\n`);
writeFileSync(join(folder, 'README.md'), renderReport(report));
console.log(renderReport(report));

async function measure(): Promise<Report> {
  await using machine = await openMachine();
  await using dockerd = await startDockerd(join(machine.folder, '..', 'peer'));
  importBusybox(dockerd.socket, join(machine.folder, '..'));
  const { engineSocket } = await machine.json<{ engineSocket: string }>(['daemon', 'status']);
  const context: Context = { machine, engineSocket, dockerd, docker: 'docker', runs: Number(values.runs) };
  const results: Result[] = [];
  for (const name of names) {
    console.error(`bench: ${name}`);
    const result = await MEASUREMENTS[name]?.(context);
    if (result !== undefined) results.push(result);
  }
  return { at: new Date().toISOString(), machine: machineFacts('docker', 'dockerd'), results };
}
