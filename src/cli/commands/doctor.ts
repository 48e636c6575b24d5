import type { SystemCheck } from '../../server/client/index.ts';
import type { AddCommand } from '../command.ts';
import type { Style } from '../output/style.ts';

export const addDoctor: AddCommand = (program, run) => {
  program
    .command('doctor')
    .summary('check whether this machine has what Bascule needs')
    .description('Checks programs, kernel features, privileges and disk space. Exits with 1 when something is missing.')
    .action(
      run(async (session) => {
        const local = session.host.preflight(session.root);
        // Without these the daemon cannot start, and so cannot be asked.
        const isHopeless = local.some(({ state }) => state === 'failed');
        const told = isHopeless ? [] : await (await session.connect()).doctor();
        const names = new Set(told.map(({ name }) => name));
        const checks = [...local.filter(({ name }) => !names.has(name)), ...told];
        if (session.json) session.printJson(checks);
        else session.print(checks.map((check) => renderCheck(check, session.style)).join(''));
        return checks.some(({ state }) => state === 'failed') ? 1 : 0;
      }),
    );
};

function renderCheck({ name, state, detail, fix }: SystemCheck, style: Style): string {
  const marks = { ok: style.green('✓'), warning: style.yellow('!'), failed: style.red('✗') };
  return `${marks[state]} ${name}: ${detail}\n${fix === undefined || state === 'ok' ? '' : `    ${fix}\n`}`;
}
