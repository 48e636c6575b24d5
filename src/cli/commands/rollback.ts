import { parseCount } from '../arguments.ts';
import type { AddCommand } from '../command.ts';
import { printPlan } from '../output/plan.ts';
import { watchRollout } from '../rollout.ts';
import type { Session } from '../session.ts';
import { DETACH } from './deploy.ts';

interface RollbackOptions {
  readonly dryRun?: boolean;
  readonly detach?: boolean;
}

export const addRollback: AddCommand = (program, run) => {
  program
    .command('rollback')
    .summary('tip traffic back to an earlier release')
    .description(
      'Tips all traffic back to the release before the current one, or to RELEASE.\n' +
        'One that is still warm serves at once; any other is started from its\n' +
        'frozen images first.',
    )
    .argument('[release]', 'number of the release', parseCount)
    .option('--dry-run', 'print the plan and change nothing')
    .option(...DETACH)
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  bascule rollback             to the release before\n' +
        '  bascule rollback 12          to release 12; `bascule releases` lists them\n' +
        '  bascule rollback --dry-run   only print what would be done',
    )
    .action(
      run((session, release: number | undefined, options: RollbackOptions) => rollback(session, release, options)),
    );
};

async function rollback(session: Session, release: number | undefined, options: RollbackOptions): Promise<number> {
  const client = await session.connect();
  const body = { author: session.author, ...(release === undefined ? {} : { release }) };
  if (options.dryRun === true)
    return printPlan(session, await client.planRollback(await session.project(client), body));
  const { projectName } = session.options;
  return watchRollout(session, client, {
    detach: options.detach ?? false,
    start: (onlooker) =>
      projectName === undefined
        ? client.rollbackFolder({ ...body, source: session.source() }, onlooker)
        : client.rollback(projectName, body, onlooker),
  });
}
