import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type Context, inTurn, timeProcess } from './context.ts';
import { buildExecutable, CHECKOUT } from './executable.ts';
import { ratioOf, type Result, type Series } from './result.ts';

const FIVE_STEPS = `FROM busybox
RUN echo one > /one
RUN echo two > /two
RUN echo three > /three
RUN cat /one /two /three > /four
RUN ls / > /five
`;

const TWENTY_STEPS = `FROM busybox\n${Array.from({ length: 20 }, (_, index) => `RUN echo ${index} > /file-${index}\n`).join('')}`;

/** Five and twenty small RUN steps: with an empty cache, and with everything cached; beside bare runs of runc. */
export async function measureBuild(context: Context): Promise<Result> {
  const { machine, docker, dockerd } = context;
  machine.write({ 'five/Dockerfile': FIVE_STEPS, 'twenty/Dockerfile': TWENTY_STEPS });
  const executable = buildExecutable();
  const run = (bascule: string, name: string, ...words: string[]) =>
    timeProcess([bascule, 'image', 'build', '-q', ...words, join(machine.folder, name)], {
      env: { BASCULE_ROOT: machine.root },
    });
  const ours = (name: string, ...words: string[]) => run(executable, name, ...words);
  const peer = (name: string, ...words: string[]) =>
    timeProcess([docker, '-H', `unix://${dockerd.socket}`, 'buildx', 'build', '-q', ...words, join(machine.folder, name)]); // prettier-ignore
  const both = (name: string, ...words: string[]) =>
    inTurn(context.runs, { ours: () => ours(name, ...words), peer: () => peer(name, ...words) });
  const [five, fiveCached] = [await both('five', '--no-cache'), await both('five')];
  const [twenty, twentyCached] = [await both('twenty', '--no-cache'), await both('twenty')];
  const checkout = await inTurn(context.runs, {
    five: () => run(CHECKOUT, 'five'),
    twenty: () => run(CHECKOUT, 'twenty'),
  });
  const bare = await inTurn(context.runs, { runc: bareRuns(machine.folder) });
  const of = (what: string, { ours: own, peer: other }: { ours: number[]; peer: number[] }): Pair => ({
    ours: ms(`${what}: \`bascule image build\``, own),
    peer: ms(`${what}: \`docker buildx build\``, other),
  });
  const pairs = {
    five: of('5 RUN steps, no cache', five),
    fiveCached: of('5 RUN steps, all cached', fiveCached),
    twenty: of('20 RUN steps, no cache', twenty),
    twentyCached: of('20 RUN steps, all cached', twentyCached),
  };
  const step = ms('one RUN step: 20 steps without what 5 take, by 15', difference(twenty.ours, five.ours));
  const runc = ms('`runc run` of the same command, alone', bare.runc);
  return {
    name: 'build',
    title: 'Building an image',
    series: [
      ...Object.values(pairs).flatMap(({ ours: own, peer: other }) => [own, other]),
      ms('5 RUN steps, all cached: `bascule image build` of a checkout', checkout.five),
      ms('20 RUN steps, all cached: `bascule image build` of a checkout', checkout.twenty),
      step,
      runc,
    ],
    ratios: [
      ratioOf('5 steps, no cache', pairs.five, 3),
      ratioOf('5 steps, all cached', pairs.fiveCached, 3),
      ratioOf('20 steps, no cache', pairs.twenty, 3),
      ratioOf('20 steps, all cached', pairs.twentyCached, 3),
      ratioOf('bare runc run to a RUN step', { ours: step, peer: runc }, 0.5),
    ],
    notes: [
      'Whole processes, from shell to prompt. `bascule` is the single executable of `npm run build`, as it is installed, where no checkout is named.',
    ],
  };
}

interface Pair {
  readonly ours: Series;
  readonly peer: Series;
}

function difference(twenty: readonly number[], five: readonly number[]): readonly number[] {
  return twenty.map((value, index) => (value - (five[index] ?? value)) / 15);
}

/** Milliseconds of `runc run` in a bundle that has busybox, with runc's own default namespaces. */
function bareRuns(folder: string): () => number {
  const bundle = join(folder, 'bundle');
  const busybox = execFileSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim();
  execFileSync('mkdir', ['-p', join(bundle, 'rootfs/bin'), join(bundle, 'rootfs/proc'), join(bundle, 'rootfs/dev'), join(bundle, 'rootfs/sys')]); // prettier-ignore
  execFileSync('cp', [busybox, join(bundle, 'rootfs/bin/sh')]);
  execFileSync('runc', ['spec', '--bundle', bundle]);
  execFileSync('sed', ['-i', 's/"terminal": true/"terminal": false/; s/"sh"/"sh", "-c", "echo 1 > \\/file"/; s/"readonly": true/"readonly": false/', join(bundle, 'config.json')]); // prettier-ignore
  let number = 0;
  return () => timeProcess(['runc', 'run', '--bundle', bundle, `bench-${process.pid}-${++number}`]);
}

function ms(name: string, samples: readonly number[]): Series {
  return { name, unit: 'ms', samples };
}
