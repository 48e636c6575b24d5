import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../src/lib/process.ts';
import { freePort } from './free-port.ts';
import { waitFor } from './wait.ts';

/** Why there is no Prometheus to test against; false when there is one. */
export async function prometheusSkip(): Promise<string | false> {
  const { exitCode } = await run(['sh', '-c', 'command -v prometheus']);
  return exitCode === 0 ? false : 'needs prometheus: Debian package prometheus';
}

/** Samples by series, as Prometheus writes them: `queue_length{shard="a"}` is `3`. */
type Samples = Readonly<Record<string, string>>;

/** A real Prometheus of our own, which scrapes what a test gives. */
export interface Prometheus extends AsyncDisposable {
  readonly address: string;
  /** What there is from now on; it can be asked when this resolves. */
  set(samples: Samples): Promise<void>;
}

export async function startPrometheus(samples: Samples): Promise<Prometheus> {
  await using undo = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'bascule-prometheus-'));
  undo.defer(() => rm(folder, { recursive: true, force: true }));
  const target = undo.use(await startTarget());
  const config = join(folder, 'prometheus.yml');
  await writeFile(config, configurationOf(target.port));
  const port = await freePort();
  const child = spawn(
    'prometheus',
    [
      ...['--config.file', config, '--storage.tsdb.path', join(folder, 'data')],
      ...['--web.listen-address', `127.0.0.1:${port}`, '--log.level', 'error'],
    ],
    { stdio: ['ignore', 'ignore', 'inherit'] },
  );
  undo.defer(() => ended(child));
  const address = `http://127.0.0.1:${port}`;
  const set = async (given: Samples): Promise<void> => {
    const generation = target.serve(given);
    const what = `Prometheus has scraped what was given the ${generation}. time`;
    await waitFor(async () => (await valueOf(address, GENERATION)) === String(generation), { timeoutMs: 20_000, what });
  };
  await set(samples);
  const end = undo.move();
  return { address, set, [Symbol.asyncDispose]: () => end[Symbol.asyncDispose]() };
}

/** Comes with each scrape: all samples of a scrape are there at one moment. */
const GENERATION = 'test_generation';

async function startTarget() {
  let generation = 0;
  let page = '';
  const server = createServer((_, response) => {
    response.setHeader('content-type', 'text/plain; version=0.0.4');
    response.end(page);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    serve(samples: Samples): number {
      generation++;
      const lines = Object.entries({ ...samples, [GENERATION]: generation });
      page = lines.map(([series, value]) => `${series} ${value}\n`).join('');
      return generation;
    },
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function configurationOf(port: number): string {
  return `
global: {scrape_interval: 200ms, scrape_timeout: 200ms}
scrape_configs:
  - job_name: test
    static_configs: [{targets: ["127.0.0.1:${port}"]}]
`;
}

async function valueOf(address: string, query: string): Promise<string | undefined> {
  const response = await fetch(`${address}/api/v1/query?query=${query}`).catch(() => undefined);
  if (response?.ok !== true) return undefined;
  const { data } = (await response.json()) as { data: { result: readonly { value: readonly [number, string] }[] } };
  return data.result[0]?.value[1];
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
