import type { Command } from 'commander';
import type { AddCommand, RunAction } from '../command.ts';

const TEXTS = [
  [
    'out',
    'take an instance out of traffic: its requests end first',
    'The instance gets no new requests and goes on running, for example to look\n' +
      'into it. The command waits until the requests that it had have ended.\n' +
      'It stays out until `bascule traffic in`, or until the release changes.',
  ],
  ['in', 'put an instance back into traffic', 'The instance gets requests again, if it is healthy.'],
] as const;

export const addTraffic: AddCommand = (program, run) => {
  const traffic = program.command('traffic').summary('take an instance out of traffic, or put it back');
  for (const text of TEXTS) addDirection(traffic, run, text);
};

function addDirection(traffic: Command, run: RunAction, [direction, summary, help]: (typeof TEXTS)[number]): void {
  traffic
    .command(direction)
    .summary(summary)
    .description(help)
    .argument('<instance>', 'its name, as `bascule ps` shows it')
    .addHelpText('after', `\nExample:\n  bascule traffic ${direction} shop-web-r4-1`)
    .action(
      run(async (session, instance: string) => {
        const client = await session.connect();
        const project = await session.project(client);
        const view = await client.setInstanceTraffic(project, { instance, direction, author: session.author });
        if (session.json) session.printJson(view);
        else session.print(`${view.name} is ${direction === 'out' ? 'out of' : 'in'} traffic\n`);
        return 0;
      }),
    );
}
