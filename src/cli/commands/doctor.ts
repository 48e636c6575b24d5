import { UserError } from '../../lib/errors.ts';
import type { SystemCheck } from '../../server/client/index.ts';
import type { AddCommand } from '../command.ts';
import type { Style } from '../output/style.ts';
import type { Session } from '../session.ts';

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
        const told = isHopeless ? [] : await askDaemon(session);
        const names = new Set(told.map(({ name }) => name));
        const checks = [...local.filter(({ name }) => !names.has(name)), ...told];
        if (session.json) session.printJson(checks);
        else session.print(checks.map((check) => renderCheck(check, session.style)).join(''));
        return checks.some(({ state }) => state === 'failed') ? 1 : 0;
      }),
    );
};

const ENGINE_CODES = new Set(['engine-unavailable', 'engine-wrong', 'invalid-engine']);

/** An engine that was asked for and is none is what the doctor was called for, and no failure of the call. */
async function askDaemon(session: Session): Promise<readonly SystemCheck[]> {
  try {
    return await (await session.connect()).doctor();
  } catch (error) {
    if (!(error instanceof UserError) || !ENGINE_CODES.has(error.code)) throw error;
    return [{ name: 'engine', state: 'failed', detail: error.message, fix: error.fix }];
  }
}

function renderCheck({ name, state, detail, fix }: SystemCheck, style: Style): string {
  const marks = { ok: style.green('✓'), warning: style.yellow('!'), failed: style.red('✗') };
  return `${marks[state]} ${name}: ${detail}\n${fix === undefined || state === 'ok' ? '' : `    ${fix}\n`}`;
}
