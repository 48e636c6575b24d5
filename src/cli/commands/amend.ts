import type { Command } from 'commander';
import type { AmendBody } from '../../server/client/index.ts';
import { collectImage, collectReplicas } from '../arguments.ts';
import type { AddCommand, RunAction } from '../command.ts';
import { printPlan } from '../output/plan.ts';
import { watchRollout } from '../rollout.ts';
import type { Session } from '../session.ts';
import { DETACH, strategyOption, type Strategy } from './deploy.ts';

interface AmendOptions {
  readonly dryRun?: boolean;
  readonly detach?: boolean;
  readonly strategy?: Strategy;
}

/** New releases that differ from the current one in one thing; the Compose file is not read. */
export const addAmend: AddCommand = (program, run) => {
  addSetImage(program.command('set').summary('change one thing of the release that serves'), run);
  const scale = program
    .command('scale')
    .summary('change the number of instances of services')
    .description(
      'Makes a release like the current one with other numbers of instances.\n' +
        'Instances are added, or drained and removed; nothing else is restarted.\n' +
        'The next `deploy` takes the numbers from the Compose file again.',
    )
    .argument('<service=n...>', 'for example web=3', collectReplicas);
  withOptions(scale)
    .addHelpText(
      'after',
      '\nExamples:\n  bascule scale web=3           three instances of web\n  bascule scale web=3 api=2 --dry-run',
    )
    .action(
      run((session, replicas: Readonly<Record<string, number>>, options: AmendOptions) =>
        amend(session, { replicas }, options),
      ),
    );
};

function addSetImage(set: Command, run: RunAction): void {
  const image = set
    .command('image')
    .summary('change the images of services')
    .description(
      'Makes a release like the current one with other images, and rolls it out\n' +
        'as `deploy` does. The Compose file is not read, nothing is built;\n' +
        'the next `deploy` takes the images from the Compose file again.',
    )
    .argument('<service=image...>', 'for example web=shop:2.1', collectImage);
  withOptions(image)
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  bascule set image web=shop:2.1\n' +
        '  bascule set image web=shop:2.1 worker=shop:2.1 --strategy canary',
    )
    .action(
      run((session, images: Readonly<Record<string, string>>, options: AmendOptions) =>
        amend(session, { images }, options),
      ),
    );
}

function withOptions(command: Command): Command {
  return command
    .option('--dry-run', 'print the plan and change nothing')
    .addOption(strategyOption())
    .option(...DETACH);
}

async function amend(
  session: Session,
  change: Pick<AmendBody, 'images' | 'replicas'>,
  { dryRun, detach, strategy }: AmendOptions,
): Promise<number> {
  const client = await session.connect();
  const project = await session.project(client);
  const body = { ...change, author: session.author, ...(strategy === undefined ? {} : { strategy }) };
  if (dryRun === true) return printPlan(session, await client.planAmend(project, body));
  return watchRollout(session, client, {
    detach: detach ?? false,
    start: (onlooker) => client.amend(project, body, onlooker),
  });
}
