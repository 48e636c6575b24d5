import type { Client, Ledger, ProjectView, Streamed } from '../../server/client/index.ts';
import type { AddCommand } from '../command.ts';
import { formatAge, formatSpan, renderTable } from '../output/table.ts';
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
        else session.print(views.length === 0 ? 'no projects\n' : (await rendered(client, views, session)).join('\n'));
        return 0;
      }),
    );
};

function rendered(
  client: Client,
  views: readonly Streamed<ProjectView>[],
  session: Session,
): Promise<readonly string[]> {
  return Promise.all(
    views.map(async (view) => {
      const isEmpty = view.release === undefined && view.instances.length === 0 && view.rollout === undefined;
      return isEmpty ? renderEmpty(view, await lastRollout(client, view.project), session) : render(view, session);
    }),
  );
}

/** A release may be there without a rollout: of a daemon that was killed in between. */
async function lastRollout(client: Client, project: string): Promise<Streamed<Ledger> | undefined> {
  return (await client.ledgers(project)).find(({ kind }) => kind !== 'retire' && kind !== 'heal');
}

/** Nothing of it runs: why, and what to do. */
function renderEmpty(
  { project }: Streamed<ProjectView>,
  last: Streamed<Ledger> | undefined,
  { style }: Session,
): string {
  const headline = style.bold(`${project} serves nothing: no instance of it runs`);
  if (last === undefined) return `${headline}\n  what to do: \`bascule up\` starts it\n`;
  const when = formatAge(new Date(last.endedAt ?? last.startedAt), new Date());
  const what = `its last ${last.kind} (by ${last.author}, ${when})`;
  if (last.failure === undefined)
    return last.kind === 'down'
      ? `${headline}\n  it was taken down by ${last.author}, ${when}; \`bascule up\` starts it again\n`
      : `${headline}\n  ${what} ended: ${last.result}; \`bascule ledger\` shows its steps\n`;
  const { cancelled, reason } = last.failure;
  return (
    `${headline}\n  ${what} ${cancelled ? 'was cancelled' : 'failed'} and was undone: ${reason}\n` +
    `  what to do: ${cancelled ? '`bascule up` tries again.' : 'correct it and run `bascule up` again; `bascule ledger` shows its steps.'}\n`
  );
}

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
