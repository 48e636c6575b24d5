import { readFileSync } from 'node:fs';
import { freePort } from '../test/support/free-port.ts';
import { webProject } from '../test/support/web-project.ts';
import { type Context, inTurn, timeProcess } from './context.ts';
import { buildExecutable, CHECKOUT } from './executable.ts';
import type { Result } from './result.ts';

/** What it costs to ask, and to be there. */
export async function measureCli({ machine, runs }: Context): Promise<Result> {
  machine.write(webProject({ port: await freePort(), version: 'one' }));
  await machine.must(['up']);
  const executable = buildExecutable();
  const ask = (bascule: string, ...words: string[]) =>
    timeProcess([bascule, ...words], { cwd: machine.folder, env: { BASCULE_ROOT: machine.root } });
  const { ps, version, checkoutPs, checkoutVersion } = await inTurn(runs * 2, {
    ps: () => ask(executable, 'ps'),
    version: () => ask(executable, '--version'),
    checkoutPs: () => ask(CHECKOUT, 'ps'),
    checkoutVersion: () => ask(CHECKOUT, '--version'),
  });
  const megabytes = residentMegabytes(await machine.daemonPid());
  await machine.must(['down', '--volumes']);
  return {
    name: 'cli',
    title: 'Asking, and being there',
    series: [
      { name: '`bascule ps`, from shell to prompt', unit: 'ms', samples: ps },
      { name: '`bascule --version`, from shell to prompt', unit: 'ms', samples: version },
      { name: '`bascule ps` of a checkout, from shell to prompt', unit: 'ms', samples: checkoutPs },
      { name: '`bascule --version` of a checkout, from shell to prompt', unit: 'ms', samples: checkoutVersion },
      {
        name: 'resident memory of the daemon, one project of four instances running',
        unit: 'MB',
        samples: [megabytes],
      },
    ],
    ratios: [],
    notes: ['`bascule` is the single executable of `npm run build`, as it is installed, where no checkout is named.'],
  };
}

function residentMegabytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kilobytes) / 1_000;
}
