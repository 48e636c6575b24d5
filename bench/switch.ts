import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { startLoad } from '../test/support/load.ts';
import { freePort } from '../test/support/free-port.ts';
import { type Machine } from '../test/support/machine.ts';
import { webProject } from '../test/support/web-project.ts';
import type { Context } from './context.ts';
import type { Result } from './result.ts';
import { summarise } from './statistics.ts';

const SWITCHES = 100;

interface Ledger {
  readonly kind: string;
  readonly switchMs?: number;
  readonly steps: readonly { readonly kind: string; readonly durationMs?: number }[];
}

/** Requests a second: one that leaves room on two cores, and one that fills them. */
const RATES = [50, 500] as const;

/** 100 rollbacks to and fro between two warm releases, under each load, with kept and new connections. */
export async function measureSwitch({ machine }: Context): Promise<Result> {
  const port = await freePort();
  for (const version of ['one', 'two']) {
    machine.write(webProject({ port, version, checkedEvery: '5s' }));
    await machine.must(['up']);
  }
  const parts: Pick<Result, 'series' | 'ratios' | 'notes'>[] = [];
  for (const rate of RATES) parts.push(await tipUnder(rate, { machine, port }));
  await machine.must(['down', '--volumes']);
  return {
    name: 'switch',
    title: `Tipping traffic: ${SWITCHES} rollbacks under load`,
    series: parts.flatMap(({ series }) => series),
    ratios: parts.flatMap(({ ratios }) => ratios),
    notes: [
      'The switch is the moment in which traffic moves: from before the one write that decides (`set map` on a connection to the proxy that is open) to its answer, as ledgers tell it. Its step writes the record to the disk first, and waits for its turn among other changes of traffic.',
      'Four web servers (two of each release), a worker, a database; each is checked every 5 s. Load generator, proxy, web servers and the command share these cores.',
      ...parts.flatMap(({ notes }) => notes),
    ],
  };
}

async function tipUnder(
  ratePerSecond: number,
  { machine, port }: { readonly machine: Machine; readonly port: number },
): Promise<Pick<Result, 'series' | 'ratios' | 'notes'>> {
  await using load = await startLoad({
    url: `http://127.0.0.1:${port}/`,
    connections: 8,
    ratePerSecond,
    newConnectionShare: 0.5,
    version: { from: 'body', pattern: 'version=(\\w+)' },
  });
  const [served, commands]: [number[], number[]] = [[], []];
  for (let index = 0; index < SWITCHES; index++) {
    const release = index % 2 === 0 ? 1 : 2;
    const started = performance.now();
    const command = machine.must(['rollback', String(release)]);
    await untilServes(port, release === 1 ? 'version=one' : 'version=two');
    served.push(performance.now() - started);
    await command;
    commands.push(performance.now() - started);
  }
  const report = await load.stop();
  const at = `${ratePerSecond} requests a second`;
  const switches = await newestRollbacks(machine);
  const moments = switches.flatMap(({ switchMs }) => switchMs ?? []);
  return {
    series: [
      { name: `${at}: the switch itself, from the write that decides to its answer`, unit: 'ms', samples: moments },
      {
        name: `${at}: the step of the switch, with its record on the disk`,
        unit: 'ms',
        samples: switches.flatMap(({ steps }) => steps.find(({ kind }) => kind === 'switch-routes')?.durationMs ?? []),
      },
      {
        name: `${at}: \`bascule rollback\`, command to first answer of the other release`,
        unit: 'ms',
        samples: served,
      },
      { name: `${at}: \`bascule rollback\`, command to prompt`, unit: 'ms', samples: commands },
    ],
    ratios: [
      { name: `${at}: 5 ms over p99 of the switch`, value: 5 / summarise(moments).p99, target: 1 },
      { name: `${at}: 250 ms over p99 to the first answer`, value: 250 / summarise(served).p99, target: 1 },
    ],
    notes: [
      `${at}, half of them on new connections: ${report.requests} requests, **${report.lost} lost**; their latency p50 ${report.latencyMs.p50.toFixed(1)} ms, p99 ${report.latencyMs.p99.toFixed(1)} ms.`,
    ],
  };
}

async function newestRollbacks(machine: Machine): Promise<readonly Ledger[]> {
  const ledgers = await machine.json<readonly Ledger[]>(['ledger', '--all']);
  return ledgers.filter(({ kind }) => kind === 'rollback').slice(0, SWITCHES);
}

/** Who asks without a pause takes a core. */
const ASKED_EVERY_MS = 2;

async function untilServes(port: number, text: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await textOf(port)).includes(text)) {
    if (performance.now() > deadline) throw new Error(`${text} does not answer`);
    await delay(ASKED_EVERY_MS);
  }
}

function textOf(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, agent: false }, (response) => {
      let text = '';
      response.on('data', (data: Buffer) => (text += data.toString('utf8'))).on('end', () => resolve(text));
    })
      .once('error', reject)
      .end();
  });
}
