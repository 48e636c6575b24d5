import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type ApiClient, openApi } from './api.ts';
import { type Context, inTurn, timeProcess } from './context.ts';
import { ratioOf, type Result, type Series } from './result.ts';

/** Containers that are listed and looked at. */
const RUNNING = 200;
const LOG_BYTES = 100_000_000;
const FILE_MEGABYTES = 400;
/** Started side by side while the scene is set. */
const AT_ONCE = 4;

interface Task {
  readonly name: string;
  /** The least ratio that we want. */
  readonly target: number;
  /** Of all runs, for what takes seconds. */
  readonly share: number;
  /** What the client is asked to do. */
  words(folder: string): readonly string[];
}

const TASKS: readonly Task[] = [
  { name: '`docker run --rm busybox true`', target: 3, share: 1, words: () => ['run', '--rm', 'busybox', 'true'] },
  { name: '`docker exec NAME true`', target: 2, share: 1, words: () => ['exec', 'talker', 'true'] },
  { name: `\`docker ps\` with ${RUNNING} containers`, target: 1, share: 1, words: () => ['ps'] },
  { name: '`docker logs` of 100 MB', target: 1, share: 0.34, words: () => ['logs', 'talker'] },
  {
    name: `\`docker cp\` of ${FILE_MEGABYTES} MB out of a container`,
    target: 1,
    share: 0.34,
    words: (folder) => ['cp', 'talker:/big', join(folder, 'big')],
  },
  {
    name: `\`docker cp\` of ${FILE_MEGABYTES} MB into a container`,
    target: 1,
    share: 0.34,
    words: (folder) => ['cp', join(folder, 'big'), 'talker:/copy'],
  },
  {
    name: '`docker stats --no-stream` of one',
    target: 1,
    share: 0.34,
    words: () => ['stats', '--no-stream', 'talker'],
  },
  {
    name: `\`docker stats --no-stream\` of ${RUNNING + 1}`,
    target: 1,
    share: 0.2,
    words: () => ['stats', '--no-stream'],
  },
];

/** What a developer does all day, by the same `docker` client on both engines, in turn. */
export async function measureClient(context: Context): Promise<Result> {
  const sockets = { ours: context.engineSocket, peer: context.dockerd.socket };
  const folder = mkdtempSync(join(context.machine.folder, 'copies-'));
  for (const socket of Object.values(sockets)) await setScene(socket, `unix://${socket}`, context.docker);
  const series: Series[] = [];
  const ratios = [];
  for (const task of TASKS) {
    const timed = (socket: string) => () =>
      timeProcess([context.docker, '-H', `unix://${socket}`, ...task.words(folder)], { isQuiet: true });
    const runs = Math.max(3, Math.round(context.runs * task.share));
    const samples = await inTurn(runs, { ours: timed(sockets.ours), peer: timed(sockets.peer) });
    const ours: Series = { name: `${task.name}, Bascule`, unit: 'ms', samples: samples.ours };
    const peer: Series = { name: `${task.name}, dockerd`, unit: 'ms', samples: samples.peer };
    series.push(ours, peer);
    ratios.push(ratioOf(`${task.name}: dockerd / Bascule`, { ours, peer }, task.target));
  }
  for (const socket of Object.values(sockets)) await clear(socket);
  rmSync(folder, { recursive: true });
  return {
    name: 'client',
    title: 'The docker client, all day',
    series,
    ratios,
    notes: [
      `Both engines with ${RUNNING} idle containers on their default bridge, and one that has said 100 MB and holds a file of ${FILE_MEGABYTES} MB.`,
      'From shell to prompt, the output thrown away. The container is started anew for nothing but `docker run`.',
    ],
  };
}

const IDLE = { Image: 'busybox', Cmd: ['sleep', '36000'], StopSignal: 'SIGKILL' };

async function setScene(socket: string, host: string, docker: string): Promise<void> {
  const names = Array.from({ length: RUNNING }, (_, index) => `idle-${index}`);
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      using api = openApi(socket);
      for (let name = names.pop(); name !== undefined; name = names.pop()) await start(api, name, IDLE);
    }),
  );
  using api = openApi(socket);
  await start(api, 'talker', {
    ...IDLE,
    Cmd: ['sh', '-c', `yes ${'0123456789'.repeat(9)} | head -c ${LOG_BYTES}; touch /said; sleep 36000`],
  });
  const make = `while [ ! -e /said ]; do sleep 0.1; done; dd if=/dev/urandom of=/big bs=1M count=${FILE_MEGABYTES}`;
  timeProcess([docker, '-H', host, 'exec', 'talker', 'sh', '-c', make]);
}

async function start(api: ApiClient, name: string, body: object): Promise<void> {
  await api.call('POST', `/containers/create?name=${name}`, body);
  await api.call('POST', `/containers/${name}/start`);
}

async function clear(socket: string): Promise<void> {
  using api = openApi(socket);
  for (let index = 0; index < RUNNING; index++) await api.call('DELETE', `/containers/idle-${index}?force=1`);
  await api.call('DELETE', '/containers/talker?force=1');
}
