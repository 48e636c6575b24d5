import { setTimeout as delay } from 'node:timers/promises';
import { openMachine, type Machine } from '../test/support/machine.ts';
import { waitFor } from '../test/support/wait.ts';
import { openApi, type ApiClient } from './api.ts';
import { crowd, type CrowdReport } from './crowd.ts';
import { type Holdings, holdingsOf, residentMegabytes } from './leaks.ts';
import type { Result, Series } from './result.ts';
import { summarise } from './statistics.ts';

export interface ScaleOptions {
  /** How many run side by side. */
  readonly containers: number;
  /** How many clients make and remove containers at once. */
  readonly clients: number;
  readonly seconds: number;
}

/** The first and the last so many are compared. */
const EDGE = 30;
const KILLS = 3;
const WANTED_SECONDS = 5;

/** Many containers on one machine, and many clients at once. */
export async function measureScale(options: ScaleOptions): Promise<Result> {
  await using machine = await openMachine();
  const { engineSocket } = await machine.json<{ engineSocket: string }>(['daemon', 'status']);
  const many = await measureMany(machine, engineSocket, options.containers);
  const together = await measureCrowd(machine, engineSocket, options);
  return {
    name: 'scale',
    title: `${options.containers} containers on one machine, ${options.clients} clients at once`,
    series: [...many.series, ...together.series],
    ratios: many.ratios,
    notes: [...many.notes, ...together.notes],
  };
}

type Part = Pick<Result, 'series' | 'ratios' | 'notes'>;

async function measureMany(machine: Machine, socket: string, count: number): Promise<Part> {
  using api = openApi(socket);
  const idle = residentMegabytes(await machine.daemonPid());
  const starts: number[] = [];
  for (let index = 0; index < count; index++) starts.push(await startOne(api, index));
  const full = residentMegabytes(await machine.daemonPid());
  const adoptions: number[] = [];
  for (let kill = 0; kill < KILLS; kill++) adoptions.push(await killAndWait(machine, socket, count));
  const adopted = residentMegabytes(await machine.daemonPid());
  const ends = await removeAll(socket, count);
  const edge = Math.min(EDGE, Math.floor(count / 2));
  const [first, last] = [summarise(starts.slice(0, edge)).p50, summarise(starts.slice(-edge)).p50];
  return {
    series: [
      { name: 'create + start over the API, from the first to the last', unit: 'ms', samples: starts, isInOrder: true },
      { name: `SIGKILL of the daemon with ${count} running: until all are adopted`, unit: 'ms', samples: adoptions },
      { name: 'removing them all, one after another', unit: 'ms', samples: ends },
    ],
    ratios: [
      { name: `start time: first ${edge} / last ${edge}`, value: first / last },
      {
        name: `${WANTED_SECONDS} s / slowest adoption of ${count}`,
        value: (WANTED_SECONDS * 1_000) / Math.max(...adoptions),
        target: 1,
      },
    ],
    notes: [
      `Start time: median of the first ${edge} ${first.toFixed(0)} ms, of the last ${edge} ${last.toFixed(0)} ms.`,
      `Resident memory of the daemon: ${idle} MB before, ${full} MB with ${count} running (${perContainer(idle, full, count)} KB a container), ${adopted} MB in the daemon that adopted them.`,
      'Adopted: from the signal until a new daemon answers `ps` with all of them running, and the last one runs a command. The new daemon is started at once; the time of its own start is in it.',
    ],
  };
}

function perContainer(idle: number, full: number, count: number): string {
  return (((full - idle) * 1_000) / count).toFixed(0);
}

async function startOne(api: ApiClient, index: number): Promise<number> {
  const started = performance.now();
  const body = { Image: 'busybox', Cmd: ['sleep', '36000'], StopSignal: 'SIGKILL' };
  await api.call('POST', `/containers/create?name=many-${index}`, body);
  await api.call('POST', `/containers/many-${index}/start`);
  return performance.now() - started;
}

async function killAndWait(machine: Machine, socket: string, count: number): Promise<number> {
  const pid = await machine.daemonPid();
  process.kill(pid, 'SIGKILL');
  const started = performance.now();
  await machine.must(['daemon', 'start']);
  using api = openApi(socket);
  await waitFor(() => areAllThere(api, count), { timeoutMs: 120_000, intervalMs: 10, what: 'all are adopted' });
  await enterLast(api, count);
  return performance.now() - started;
}

async function areAllThere(api: ApiClient, count: number): Promise<boolean> {
  const answer = await api.call('GET', '/containers/json').catch(() => undefined);
  if (answer === undefined) return false;
  const rows = JSON.parse(answer.toString('utf8')) as readonly Row[];
  const isWhole = ({ State, NetworkSettings }: Row): boolean =>
    State === 'running' && NetworkSettings.Networks['bridge']?.IPAddress !== '';
  return rows.length === count && rows.every(isWhole);
}

interface Row {
  readonly State: string;
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string }>> };
}

async function enterLast(api: ApiClient, count: number): Promise<void> {
  const made = await api.call('POST', `/containers/many-${count - 1}/exec`, { Cmd: ['true'], AttachStdout: true });
  const { Id } = JSON.parse(made.toString('utf8')) as { Id: string };
  await api.call('POST', `/exec/${Id}/start`, { Detach: false, Tty: false });
}

async function removeAll(socket: string, count: number): Promise<readonly number[]> {
  using api = openApi(socket);
  const times: number[] = [];
  for (let index = 0; index < count; index++) {
    const started = performance.now();
    await api.call('DELETE', `/containers/many-${index}?force=1`);
    times.push(performance.now() - started);
  }
  return times;
}

/** Behind the last client: what is deleted in the background has gone by then. */
const REST_MS = 10_000;

async function measureCrowd(machine: Machine, socket: string, o: ScaleOptions): Promise<Part> {
  await crowd({ socket, clients: o.clients, seconds: 2 }); // pools and caches that stay are made
  await delay(REST_MS);
  const before = await holdingsOf(machine);
  const report = await crowd({ socket, clients: o.clients, seconds: o.seconds });
  await delay(REST_MS);
  const after = await holdingsOf(machine);
  return { series: seriesOf(report, o), ratios: [], notes: crowdNotes(report, o, { before, after }) };
}

function seriesOf(report: CrowdReport, { clients }: ScaleOptions): readonly Series[] {
  return (['create', 'start', 'exec', 'remove'] as const).map((what) => ({
    name: `${clients} clients at once: ${what}`,
    unit: 'ms',
    samples: report[what].map((each) => Math.round(each * 10) / 10),
  }));
}

function crowdNotes(
  { remove, errors }: CrowdReport,
  o: ScaleOptions,
  holdings: { readonly before: Holdings; readonly after: Holdings },
): readonly string[] {
  const rate = (remove.length / o.seconds).toFixed(1);
  const told = Object.entries(Object.groupBy(errors, (error) => error)).map(
    ([text, all]) => `${all?.length} × ${text}`,
  );
  const rows = (Object.keys(holdings.before) as (keyof Holdings)[]).map(
    (what) => `${what} ${holdings.before[what]} → ${holdings.after[what]}`,
  );
  return [
    `${o.clients} clients for ${o.seconds} s: ${remove.length} containers lived and went (${rate} a second), **${errors.length} errors**.`,
    ...told,
    `Held before → after: ${rows.join('; ')}.`,
  ];
}
