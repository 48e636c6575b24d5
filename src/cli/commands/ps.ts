import type { ProjectView, Streamed } from '../../server/client/index.ts';
import type { AddCommand } from '../command.ts';
import { formatSpan, renderTable } from '../output/table.ts';
import type { Session } from '../session.ts';

export const addPs: AddCommand = (program, run) => {
  program
    .command('ps')
    .summary('show what runs: releases, instances, ports')
    .description('Shows the instances of the project in this folder, or with --all those of every project.')
    .option('-a, --all', 'every project of this daemon')
    .action(
      run(async (session, options: { all?: boolean }) => {
        const client = await session.connect();
        const names = options.all === true ? await client.projects() : [await session.project(client)];
        const views = await Promise.all(names.map((name) => client.ps(name)));
        if (session.json) session.printJson(options.all === true ? views : views[0]);
        else
          session.print(views.length === 0 ? 'no projects\n' : views.map((view) => render(view, session)).join('\n'));
        return 0;
      }),
    );
};

function render(view: Streamed<ProjectView>, session: Session): string {
  const now = new Date();
  const rows = view.instances.map((instance) => [
    instance.name,
    instance.service,
    String(instance.release),
    instance.role,
    stateOf(instance, now),
    instance.image,
  ]);
  return `${session.style.bold(headline(view, now))}\n${renderTable(['INSTANCE', 'SERVICE', 'RELEASE', 'ROLE', 'STATE', 'IMAGE'], rows)}`;
}

function headline(view: Streamed<ProjectView>, now: Date): string {
  const serves = view.release === undefined ? 'serves nothing' : `serves release ${view.release}`;
  const warm = view.warm.map(({ release, until }) =>
    new Date(until) > now
      ? `release ${release} warm until ${new Date(until).toTimeString().slice(0, 8)}`
      : `release ${release} leaving`,
  );
  const ports = view.ports.map(
    ({ published, service, target, protocol }) => `${published}->${service}:${target}/${protocol}`,
  );
  const rollout =
    view.rollout === undefined ? [] : [`${view.rollout.kind} under way: ${view.rollout.step?.title ?? 'building'}`];
  return [`${view.project} ${serves}`, ...warm, ...rollout, ports.join(' ')].filter(Boolean).join(' · ');
}

function stateOf(instance: Streamed<ProjectView>['instances'][number], now: Date): string {
  const health = instance.health === 'none' ? '' : ` (${instance.health})`;
  const since =
    instance.startedAt === undefined || instance.state !== 'running'
      ? ''
      : ` for ${formatSpan(new Date(instance.startedAt), now)}`;
  const exit = instance.exitCode === undefined || instance.state === 'running' ? '' : ` (${instance.exitCode})`;
  const restarts = instance.restarts > 0 ? `, ${instance.restarts} restarts` : '';
  return `${instance.state}${exit}${since}${health}${restarts}`;
}
