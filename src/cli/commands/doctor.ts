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
        const checks = await (await session.connect()).doctor();
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
