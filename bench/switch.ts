import { request } from 'node:http';
import { startLoad } from '../test/support/load.ts';
import { freePort } from '../test/support/machine.ts';
import { webProject } from '../test/support/web-project.ts';
import type { Context } from './context.ts';
import type { Result } from './result.ts';

const SWITCHES = 100;

interface Ledger {
  readonly kind: string;
  readonly switchMs?: number;
}

/** 100 rollbacks to and fro between two warm releases, under load with kept and new connections. */
export async function measureSwitch({ machine }: Context): Promise<Result> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/`;
  for (const version of ['one', 'two']) {
    machine.write(webProject({ port, version, checkedEvery: '5s' }));
    await machine.must(['up']);
  }
  await using load = await startLoad({
    url,
    connections: 8,
    ratePerSecond: 500,
    newConnectionShare: 0.5,
    version: { from: 'body', pattern: 'version=(\\w+)' },
  });
  const served: number[] = [];
  const commands: number[] = [];
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
  const ledgers = await machine.json<readonly Ledger[]>(['ledger', '--all']);
  const switches = ledgers.filter(({ kind }) => kind === 'rollback').flatMap(({ switchMs }) => switchMs ?? []);
  await machine.must(['down', '--volumes']);
  return {
    name: 'switch',
    title: `Tipping traffic: ${SWITCHES} rollbacks under load`,
    series: [
      { name: 'the switch itself (one atomic map update a route)', unit: 'ms', samples: switches },
      { name: '`bascule rollback`: command to first answer of the other release', unit: 'ms', samples: served },
      { name: '`bascule rollback`: command to prompt', unit: 'ms', samples: commands },
    ],
    ratios: [],
    notes: [
      `Load meanwhile: ${report.requests} requests at ${report.requestsPerSecond.toFixed(0)} a second, half of them on new connections: **${report.lost} lost**.`,
      'Four web servers (two of each release), a worker, a database; each is checked every 5 s. All on these cores.',
      `Latency under this load: p50 ${report.latencyMs.p50.toFixed(1)} ms, p99 ${report.latencyMs.p99.toFixed(1)} ms.`,
    ],
  };
}

async function untilServes(port: number, text: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (!(await textOf(port)).includes(text)) {
    if (performance.now() > deadline) throw new Error(`${text} does not answer`);
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
