import { Option } from 'commander';
import type { DeployBody } from '../../server/client/index.ts';
import { collectImage } from '../arguments.ts';
import type { AddCommand } from '../command.ts';
import { printPlan } from '../output/plan.ts';
import { watchRollout } from '../rollout.ts';
import type { Session } from '../session.ts';

interface DeployOptions {
  readonly build: boolean;
  readonly cache: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly revision?: string;
  readonly strategy?: Strategy;
  readonly image?: Readonly<Record<string, string>>;
  readonly detach?: boolean;
}

export type Strategy = NonNullable<DeployBody['strategy']>;

export function strategyOption(): Option {
  return new Option('--strategy <name>', 'instead of the one that the Compose file declares').choices([
    'blue-green',
    'rolling',
    'canary',
  ] satisfies Strategy[]);
}

export const DETACH = ['-d, --detach', 'do not wait for the end: the daemon carries it out'] as const;

/** `up` and `deploy` are one procedure: the first release just starts, later ones tip over. */
export const addDeploy: AddCommand = (program, run) => {
  for (const [name, summary, help, examples] of TEXTS) {
    program
      .command(name)
      .summary(summary)
      .description(help)
      .option('--no-build', 'use the images that exist instead of building services with `build:`')
      .option('--no-cache', 'build every step anew')
      .option('--force', 'make a new release even when nothing changed')
      .option('--dry-run', 'print the plan and change nothing')
      .option('--revision <text>', 'source revision to record, for example the commit')
      .addOption(strategyOption())
      .option('--image <service=image>', 'another image for a service; several times', collectImage)
      .option(...DETACH)
      .addHelpText('after', examples)
      .action(run((session, options: DeployOptions) => deploy(session, options)));
  }
};

const TEXTS = [
  [
    'up',
    'start this project, or bring it up to date',
    'Builds what has `build:`, freezes a release, starts it and routes traffic to it.\n' +
      'Where a release serves already, the new one is started beside it\n' +
      'and traffic moves over, as with `deploy`.',
    '\nExamples:\n' +
      '  bascule up                       start what compose.yaml describes\n' +
      '  bascule up --dry-run             only print what would be done\n' +
      '  bascule up --no-build --detach   with the images that exist, and do not wait',
  ],
  [
    'deploy',
    'make a new release and tip traffic over to it',
    'Rebuilds, freezes a new release, starts it beside the one that serves,\n' +
      'waits until it is healthy, and moves traffic as the strategy says:\n' +
      '  blue-green  all at once (the default)\n' +
      '  rolling     instance by instance\n' +
      '  canary      in stages, both releases compared; a worse one is sent back\n' +
      'The old release stays warm for `bascule rollback`.\n' +
      'If anything fails, the old release keeps serving and the reason is printed.',
    '\nExamples:\n' +
      '  bascule deploy --dry-run              only print what would be done\n' +
      '  bascule deploy --strategy canary      in stages, with a live view of both sides\n' +
      '  bascule deploy --image web=shop:2.1   with another image than the file names\n' +
      '  bascule deploy --detach               do not wait; `bascule rollout watch`\n' +
      '\nExit codes: 0 done, 1 failed and undone, 8 requests were lost,\n' +
      '9 undone for the comparison or a guard, 130 cancelled; docs/cli.md has the rest',
  ],
] as const;

async function deploy(session: Session, options: DeployOptions): Promise<number> {
  const client = await session.connect();
  const body = deployBody(session, options);
  if (options.dryRun === true) return printPlan(session, await client.plan(body));
  return watchRollout(session, client, {
    detach: options.detach ?? false,
    start: (onlooker) => client.deploy(body, onlooker),
  });
}

export function deployBody(session: Session, options: Partial<DeployOptions>): DeployBody {
  return {
    source: session.source(),
    author: session.author,
    build: options.build ?? true,
    noCache: options.cache === false,
    force: options.force ?? false,
    ...(options.revision === undefined ? {} : { sourceRevision: options.revision }),
    ...(options.strategy === undefined ? {} : { strategy: options.strategy }),
    ...(options.image === undefined ? {} : { images: options.image }),
  };
}
