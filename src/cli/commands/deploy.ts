import type { DeployBody, PlanView, Streamed } from '../../server/client/index.ts';
import type { AddCommand } from '../command.ts';
import { watchRollout } from '../rollout.ts';
import type { Session } from '../session.ts';

interface DeployOptions {
  readonly build: boolean;
  readonly cache: boolean;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly revision?: string;
}

/** `up` and `deploy` are one procedure: the first release just starts, later ones tip over. */
export const addDeploy: AddCommand = (program, run) => {
  for (const [name, summary, help] of TEXTS) {
    program
      .command(name)
      .summary(summary)
      .description(help)
      .option('--no-build', 'use the images that exist instead of building services with `build:`')
      .option('--no-cache', 'build every step anew')
      .option('--force', 'make a new release even when nothing changed')
      .option('--dry-run', 'print the plan and change nothing')
      .option('--revision <text>', 'source revision to record, for example the commit')
      .action(run((session, options: DeployOptions) => deploy(session, options)));
  }
};

const TEXTS = [
  [
    'up',
    'start this project, or bring it up to date',
    'Builds what has `build:`, freezes a release, starts it and routes traffic to it.\n' +
      'Where a release serves already, the new one is started beside it and traffic tips over, as with `deploy`.',
  ],
  [
    'deploy',
    'make a new release and tip traffic over to it',
    'Rebuilds, freezes a new release, starts it beside the one that serves, waits until it is healthy,\n' +
      'and tips all traffic over at once (blue-green). The old release stays warm for `bascule rollback`.\n' +
      'If anything fails, the old release keeps serving and the reason is printed.',
  ],
] as const;

async function deploy(session: Session, options: DeployOptions): Promise<number> {
  const client = await session.connect();
  const body = deployBody(session, options);
  if (options.dryRun === true) return printPlan(session, await client.plan(body));
  return watchRollout(session, client, { start: (onlooker) => client.deploy(body, onlooker) });
}

export function deployBody(session: Session, options: Partial<DeployOptions>): DeployBody {
  return {
    source: session.source(),
    author: session.author,
    build: options.build ?? true,
    noCache: options.cache === false,
    force: options.force ?? false,
    ...(options.revision === undefined ? {} : { sourceRevision: options.revision }),
  };
}

function printPlan(session: Session, plan: Streamed<PlanView>): number {
  if (session.json) {
    session.printJson(plan);
    return 0;
  }
  if (plan.unchanged) session.print(`${plan.project} is up to date: nothing to do\n`);
  for (const warning of plan.warnings) session.print(`${session.style.yellow('!')} ${warning}\n`);
  for (const step of plan.steps) {
    session.print(`${String(step.index + 1).padStart(3)}  ${step.title} ${session.style.dim(`(${step.cause})`)}\n`);
  }
  return 0;
}
