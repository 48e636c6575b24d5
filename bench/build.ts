import { join } from 'node:path';
import { type Context, inTurn, timeProcess } from './context.ts';
import { ratioOf, type Result, type Series } from './result.ts';

const DOCKERFILE = `FROM busybox
RUN echo one > /one
RUN echo two > /two
RUN echo three > /three
RUN cat /one /two /three > /four
RUN ls / > /five
`;

/** Five small RUN steps: with an empty cache, and with everything cached. */
export async function measureBuild(context: Context): Promise<Result> {
  const { machine, docker, dockerd } = context;
  machine.write({
    'compose.yaml': 'name: bench\nservices:\n  app:\n    build: ./app\n',
    'app/Dockerfile': DOCKERFILE,
  });
  const bascule = join(import.meta.dirname, '..', 'bin', 'bascule');
  const ours = (...words: string[]) =>
    timeProcess([bascule, 'build', ...words], { cwd: machine.folder, env: { BASCULE_ROOT: machine.root } });
  const peer = (...words: string[]) =>
    timeProcess([docker, '-H', `unix://${dockerd.socket}`, 'build', '-q', ...words, join(machine.folder, 'app')], {
      env: { DOCKER_BUILDKIT: '1' },
    });
  const fresh = await inTurn(context.runs, { ours: () => ours('--no-cache'), peer: () => peer('--no-cache') });
  const cached = await inTurn(context.runs, { ours: () => ours(), peer: () => peer() });
  const series = {
    freshOurs: ms('5 RUN steps, no cache: `bascule build`', fresh.ours),
    freshPeer: ms('5 RUN steps, no cache: `docker build` with BuildKit', fresh.peer),
    cachedOurs: ms('all cached: `bascule build`', cached.ours),
    cachedPeer: ms('all cached: `docker build` with BuildKit', cached.peer),
  };
  return {
    name: 'build',
    title: 'Building an image',
    series: Object.values(series),
    ratios: [
      ratioOf('5 steps, no cache', { ours: series.freshOurs, peer: series.freshPeer }, 3),
      ratioOf('all cached', { ours: series.cachedOurs, peer: series.cachedPeer }, 1),
    ],
    notes: ['Whole processes, from shell to prompt.'],
  };
}

function ms(name: string, samples: readonly number[]): Series {
  return { name, unit: 'ms', samples };
}
