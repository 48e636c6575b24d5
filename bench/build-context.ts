import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { appendFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Context, timeProcess } from './context.ts';
import { buildExecutable } from './executable.ts';
import { ratioOf, type Result, type Series } from './result.ts';

const FOLDERS = 100;
const FILES_EACH = 200;
const FILE_BYTES = 20_000;
const MOST_RUNS = 5;

type Case = 'first' | 'unchanged' | 'changed';
const CASES: Readonly<Record<Case, { readonly what: string; readonly target: number }>> = {
  first: { what: 'first build', target: 4 },
  unchanged: { what: 'nothing changed', target: 3 },
  changed: { what: 'one file changed', target: 4 },
};

interface Side {
  readonly samples: Record<Case, number[]>;
  /** MiB above what was resident before the first build. */
  readonly memory: number[];
  readonly pid: number;
  build(folder: string): number;
  forget(): void;
}

/** COPY of 20,000 files, 400 MB: each time a new context, an empty cache, and then nothing or one file changed. */
export async function measureBuildContext(context: Context): Promise<Result> {
  const { machine, docker, dockerd, engineSocket } = context;
  const bascule = buildExecutable();
  const env = { BASCULE_ROOT: machine.root };
  const sides = {
    ours: side(await machine.daemonPid(), {
      build: (folder) => timeProcess([bascule, 'image', 'build', '-q', '-t', 'bench-context', folder], { env }),
      forget: () => forget(docker, engineSocket),
    }),
    peer: side(dockerd.pid, {
      build: (folder) => timeProcess([docker, '-H', `unix://${dockerd.socket}`, 'buildx', 'build', '-q', '-t', 'bench-context', folder]), // prettier-ignore
      forget: () => forget(docker, dockerd.socket),
    }),
  };
  const source = join(machine.folder, 'source');
  makeContext(source);
  for (let run = 0; run < Math.min(context.runs, MOST_RUNS); run++) {
    for (const name of ['ours', 'peer'] as const)
      measure(sides[name], { source, folder: join(machine.folder, `${name}-${run}`) });
  }
  const series = (what: Case, name: 'ours' | 'peer'): Series => ({
    name: `${CASES[what].what}: \`${name === 'ours' ? 'bascule image build' : 'docker buildx build'}\``,
    unit: 'ms',
    samples: sides[name].samples[what],
  });
  const memory = (name: 'ours' | 'peer'): Series => ({
    name: `${name === 'ours' ? 'daemon' : 'dockerd'}: most memory of a first build above what it had before`,
    unit: 'MB',
    samples: sides[name].memory,
  });
  const cases = Object.keys(CASES) as Case[];
  return {
    name: 'build-context',
    title: 'Building from a context of 20,000 files, 400 MB',
    series: [...cases.flatMap((each) => [series(each, 'ours'), series(each, 'peer')]), memory('ours'), memory('peer')],
    ratios: cases.map((each) =>
      ratioOf(CASES[each].what, { ours: series(each, 'ours'), peer: series(each, 'peer') }, CASES[each].target),
    ),
    notes: [
      'Whole processes, from shell to prompt; `bascule` is the single executable of `npm run build`. Every first build reads a copy of the files that was just written, with an empty cache.',
      'Memory is that of the daemon alone (VmHWM), not of the programs that it starts.',
    ],
  };
}

function side(pid: number, how: Pick<Side, 'build' | 'forget'>): Side {
  return { ...how, pid, memory: [], samples: { first: [], unchanged: [], changed: [] } };
}

function measure(one: Side, { source, folder }: { readonly source: string; readonly folder: string }): void {
  one.forget();
  execFileSync('cp', ['--recursive', source, folder]);
  execFileSync('sync');
  const before = residentMiB(one.pid, 'VmRSS');
  writeFileSync(`/proc/${one.pid}/clear_refs`, '5'); // the peak begins anew
  one.samples.first.push(one.build(folder));
  one.memory.push(residentMiB(one.pid, 'VmHWM') - before);
  one.samples.unchanged.push(one.build(folder));
  appendFileSync(join(folder, 'folder-7/file-7'), 'changed');
  one.samples.changed.push(one.build(folder));
  rmSync(folder, { recursive: true });
}

function forget(docker: string, socket: string): void {
  const call = (...words: string[]) => execFileSync(docker, ['-H', `unix://${socket}`, ...words], { stdio: 'ignore' });
  try {
    call('rmi', '--force', 'bench-context');
  } catch {
    // there was none yet
  }
  call('image', 'prune', '--force');
  // `docker builder prune` speaks BuildKit's own language, which the engine of Bascule does not.
  const url = 'http://docker/build/prune?all=true';
  execFileSync('curl', [
    '--fail',
    '--silent',
    '--output',
    '/dev/null',
    '--unix-socket',
    socket,
    '--request',
    'POST',
    url,
  ]);
}

function residentMiB(pid: number, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024;
}

function makeContext(folder: string): void {
  const content = Buffer.alloc(FILE_BYTES);
  for (let directory = 0; directory < FOLDERS; directory++) {
    mkdirSync(join(folder, `folder-${directory}`), { recursive: true });
    for (let file = 0; file < FILES_EACH; file++) {
      writeFileSync(join(folder, `folder-${directory}`, `file-${file}`), randomFillSync(content));
    }
  }
  writeFileSync(join(folder, 'Dockerfile'), 'FROM busybox\nCOPY . /src\n');
}
