import type { Command } from 'commander';
import type { ControlBody } from '../../server/client/index.ts';
import { parseWeight } from '../arguments.ts';
import type { AddCommand, RunAction } from '../command.ts';
import type { Session } from '../session.ts';

type Action = ControlBody['action'];

const CONTROLS = [
  [
    'pause',
    'begin no further stage until `resume`',
    'The weight stays. The comparison goes on: a worse release is still\nsent back.',
  ],
  ['resume', 'go on after `pause` or `weight`', 'The plan goes on where it was.'],
  [
    'promote',
    'skip the stages that are left, give all traffic to the new release',
    'Also ends a wait for confirmation (`confirm: true`, or `pause: true` of a stage).\nGuards still hold until the switch.',
  ],
  [
    'abort',
    'give all traffic back to the old release, and undo the rollout',
    'As Ctrl-C where the rollout was begun. After the switch there is nothing\nto abort: use `bascule rollback`.',
  ],
] as const;

export const addRollout: AddCommand = (program, run) => {
  const rollout = program
    .command('rollout')
    .summary('look at the rollout that runs, and steer it')
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  bascule rollout watch        live: both sides, the evidence, the steps\n' +
        '  bascule rollout weight 10%   give 10 % to the new release, and hold it there\n' +
        '  bascule rollout promote      all traffic to the new release',
    );
  addLooks(rollout, run);
  for (const [kind, summary, help] of CONTROLS)
    rollout
      .command(kind)
      .summary(summary)
      .description(`${sentence(summary)}\n${help}`)
      .action(run((session) => control(session, { kind })));
  rollout
    .command('weight')
    .summary('set the share of the new release, and hold it')
    .description(
      'Gives the new release this share of the traffic now, and holds it until\n' +
        '`resume` or `promote`. The comparison goes on: a worse release is still\nsent back.',
    )
    .argument('<percent>', 'from 0 to 100, for example 25% or 0.5%', parseWeight)
    .addHelpText(
      'after',
      '\nExamples:\n  bascule rollout weight 25%\n  bascule rollout weight 0      all to the old one, for now',
    )
    .action(run((session, weight: number) => control(session, { kind: 'weight', weight })));
};

function addLooks(rollout: Command, run: RunAction): void {
  rollout
    .command('status')
    .summary('show the rollout that runs, else the last one')
    .description('Shows the traffic of both sides, evidence, guards and steps, once.')
    .action(run((session) => status(session)));
  rollout
    .command('watch')
    .summary('follow the rollout until it has ended')
    .description(
      'On a terminal a live view: traffic split, requests, errors and latency of\n' +
        'both sides, evidence, steps. Keys: p pause, r resume, m promote, a abort\n' +
        '(both ask first), q quit; quitting ends nothing.\n' +
        'Elsewhere a line at each change and each ten seconds; with --json one\n' +
        'object a line. The exit code is that of the rollout: 1 undone,\n' +
        '8 requests were lost, 9 undone for the comparison or a guard.',
    )
    .addHelpText('after', "\nExample:\n  bascule rollout watch --json | jq '.routes[].weight'")
    .action(run(async (session) => (await import('../watch/watch.ts')).watch(session)));
}

async function status(session: Session): Promise<number> {
  const client = await session.connect();
  const value = await client.status(await session.project(client));
  if (session.json) session.printJson(value);
  else {
    const { renderStatus } = await import('../watch/render-status.ts');
    const columns = session.host.stdout.columns ?? 100;
    session.print(`${renderStatus(value, { columns, style: session.style, now: new Date() }).join('\n')}\n`);
  }
  return 0;
}

async function control(session: Session, action: Action): Promise<number> {
  const client = await session.connect();
  const value = await client.control(await session.project(client), { author: session.author, action });
  if (session.json) session.printJson(value);
  else {
    const { statusLine } = await import('../watch/status-line.ts');
    session.print(`${statusLine(value, new Date())}\n`);
  }
  return 0;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}
