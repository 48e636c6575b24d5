import { request } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { startLoad } from '../test/support/load.ts';
import { freePort, type Machine } from '../test/support/machine.ts';
import { webProject } from '../test/support/web-project.ts';
import type { Context } from './context.ts';
import type { Result } from './result.ts';

const SWITCHES = 100;

interface Ledger {
  readonly kind: string;
  readonly switchMs?: number;
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
  const parts: Pick<Result, 'series' | 'notes'>[] = [];
  for (const rate of RATES) parts.push(await tipUnder(rate, { machine, port }));
  await machine.must(['down', '--volumes']);
  return {
    name: 'switch',
    title: `Tipping traffic: ${SWITCHES} rollbacks under load`,
    series: parts.flatMap(({ series }) => series),
    ratios: [],
    notes: [
      'Four web servers (two of each release), a worker, a database; each is checked every 5 s. Load generator, proxy, web servers and the command share these cores.',
      ...parts.flatMap(({ notes }) => notes),
    ],
  };
}

async function tipUnder(
  ratePerSecond: number,
  { machine, port }: { readonly machine: Machine; readonly port: number },
): Promise<Pick<Result, 'series' | 'notes'>> {
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
  return {
    series: [
      {
        name: `${at}: the switch itself (one atomic map update a route)`,
        unit: 'ms',
        samples: await switches(machine),
      },
      {
        name: `${at}: \`bascule rollback\`, command to first answer of the other release`,
        unit: 'ms',
        samples: served,
      },
      { name: `${at}: \`bascule rollback\`, command to prompt`, unit: 'ms', samples: commands },
    ],
    notes: [
      `${at}, half of them on new connections: ${report.requests} requests, **${report.lost} lost**; their latency p50 ${report.latencyMs.p50.toFixed(1)} ms, p99 ${report.latencyMs.p99.toFixed(1)} ms.`,
    ],
  };
}

/** Of the newest rollbacks. */
async function switches(machine: Machine): Promise<readonly number[]> {
  const ledgers = await machine.json<readonly Ledger[]>(['ledger', '--all']);
  return ledgers
    .filter(({ kind }) => kind === 'rollback')
    .slice(0, SWITCHES)
    .flatMap(({ switchMs }) => switchMs ?? []);
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
