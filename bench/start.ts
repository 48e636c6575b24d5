import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ApiClient, openApi } from './api.ts';
import { type Context, inTurn, timeProcess } from './context.ts';
import { ratioOf, type Result, type Series } from './result.ts';

/** Starting a container: by the same client on both engines, and beside bare runc. */
export async function measureStart(context: Context): Promise<Result> {
  const runArgv = (socket: string): [string, ...string[]] => [
    context.docker,
    '-H',
    `unix://${socket}`,
    ...['run', '--rm', 'busybox', 'true'],
  ];
  const whole = await inTurn(context.runs, {
    ours: () => timeProcess(runArgv(context.engineSocket)),
    peer: () => timeProcess(runArgv(context.dockerd.socket)),
  });
  const bundle = prepareBundle(context);
  using ours = openApi(context.engineSocket);
  using peer = openApi(context.dockerd.socket);
  const start = await inTurn(context.runs, {
    ours: () => createAndStart(ours),
    peer: () => createAndStart(peer),
    runc: () => runcCreateAndStart(bundle),
  });
  rmSync(bundle, { recursive: true });
  const series = {
    runOurs: ms('`docker run --rm busybox true`, Bascule', whole.ours),
    runPeer: ms('`docker run --rm busybox true`, dockerd', whole.peer),
    ours: ms('create + start over the API, Bascule', start.ours),
    peer: ms('create + start over the API, dockerd', start.peer),
    runc: ms('bare `runc create` + `runc start`, no network', start.runc),
  };
  return {
    name: 'start',
    title: 'Starting a container',
    series: Object.values(series),
    ratios: [
      ratioOf('`docker run`: dockerd / Bascule', { ours: series.runOurs, peer: series.runPeer }, 3),
      ratioOf('`docker run` of dockerd / create + start of Bascule', { ours: series.ours, peer: series.runPeer }, 3),
      ratioOf('create + start: dockerd / Bascule', { ours: series.ours, peer: series.peer }),
      ratioOf('bare runc / create + start of Bascule', { ours: series.ours, peer: series.runc }),
    ],
    notes: [
      'Both engines with their default bridge network. The same `docker` client talks to both.',
      'Create + start is timed around two HTTP requests from one process.',
    ],
  };
}

function ms(name: string, samples: readonly number[]): Series {
  return { name, unit: 'ms', samples };
}

async function createAndStart(api: ApiClient): Promise<number> {
  const name = `bench-${process.pid}`;
  const started = performance.now();
  await api.call('POST', `/containers/create?name=${name}`, {
    Image: 'busybox',
    Cmd: ['sleep', '60'],
    StopSignal: 'SIGKILL',
  });
  await api.call('POST', `/containers/${name}/start`);
  const took = performance.now() - started;
  await api.call('DELETE', `/containers/${name}?force=1`);
  return took;
}

function prepareBundle(context: Context): string {
  const bundle = join(context.machine.folder, 'runc-bundle');
  mkdirSync(join(bundle, 'rootfs', 'bin'), { recursive: true });
  execFileSync('cp', ['/bin/busybox', join(bundle, 'rootfs', 'bin', 'busybox')]);
  execFileSync('runc', ['spec'], { cwd: bundle });
  const path = join(bundle, 'config.json');
  const spec = JSON.parse(execFileSync('cat', [path], { encoding: 'utf8' })) as { process: Record<string, unknown> };
  spec.process = { ...spec.process, terminal: false, args: ['/bin/busybox', 'sleep', '60'] };
  writeFileSync(path, JSON.stringify(spec));
  return bundle;
}

function runcCreateAndStart(bundle: string): number {
  const name = `bench-${process.pid}`;
  const started = performance.now();
  execFileSync('runc', ['create', '--bundle', bundle, name], { stdio: 'ignore' });
  execFileSync('runc', ['start', name], { stdio: 'ignore' });
  const took = performance.now() - started;
  execFileSync('runc', ['delete', '--force', name], { stdio: 'ignore' });
  return took;
}
