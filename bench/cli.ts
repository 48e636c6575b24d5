import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../test/support/free-port.ts';
import { webProject } from '../test/support/web-project.ts';
import { type Context, inTurn, timeProcess } from './context.ts';
import type { Result } from './result.ts';

/** What it costs to ask, and to be there. */
export async function measureCli({ machine, runs }: Context): Promise<Result> {
  machine.write(webProject({ port: await freePort(), version: 'one' }));
  await machine.must(['up']);
  const bascule = join(import.meta.dirname, '..', 'bin', 'bascule');
  const ask = (...words: string[]) =>
    timeProcess([bascule, ...words], { cwd: machine.folder, env: { BASCULE_ROOT: machine.root } });
  const { ps, version } = await inTurn(runs * 2, { ps: () => ask('ps'), version: () => ask('--version') });
  const megabytes = residentMegabytes(await machine.daemonPid());
  await machine.must(['down', '--volumes']);
  return {
    name: 'cli',
    title: 'Asking, and being there',
    series: [
      { name: '`bascule ps`, from shell to prompt', unit: 'ms', samples: ps },
      { name: '`bascule --version`, from shell to prompt', unit: 'ms', samples: version },
      {
        name: 'resident memory of the daemon, one project of four instances running',
        unit: 'MB',
        samples: [megabytes],
      },
    ],
    ratios: [],
    notes: ['From a checkout; the single executable starts faster.'],
  };
}

function residentMegabytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1_000;
}
