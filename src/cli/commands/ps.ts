import type { Client, Ledger, ProjectView, RolloutStatus, Streamed } from '../../server/client/index.ts';
import type { AddCommand } from '../command.ts';
import type { Style } from '../output/style.ts';
import { formatAge, formatSpan, renderTable } from '../output/table.ts';
import { formatWeight } from '../output/text.ts';
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
      if (isEmpty) return renderEmpty(view, await lastRollout(client, view.project), session);
      return renderProject(view, await statusOf(client, view), session.style);
    }),
  );
}

/** The shares are an extra: there are none while images are built, or when nothing but upkeep runs. */
async function statusOf(client: Client, { project, rollout }: Streamed<ProjectView>): Promise<Status> {
  if (rollout?.from === undefined || rollout.to === undefined) return undefined;
  return await client.status(project).catch(() => undefined);
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

type Status = Streamed<RolloutStatus> | undefined;

export function renderProject(view: Streamed<ProjectView>, status: Status, style: Style): string {
  const now = new Date();
  const rows = view.instances.map((instance) => [
    instance.name,
    instance.service,
    String(instance.release),
    instance.isOut === true ? `${instance.role}, out of traffic` : instance.role,
    stateOf(instance, now),
    instance.image,
  ]);
  return `${style.bold(headline(view, status, now))}\n${renderTable(['INSTANCE', 'SERVICE', 'RELEASE', 'ROLE', 'STATE', 'IMAGE'], rows)}`;
}

function headline(view: Streamed<ProjectView>, status: Status, now: Date): string {
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
  const shares = status === undefined ? [] : sharesOf(status);
  return [`${view.project} ${serves}`, ...warm, ...rollout, ...shares, ports.join(' ')].filter(Boolean).join(' · ');
}

/** What both sides get while they serve side by side. */
function sharesOf({ from, to, routes, endedAt }: NonNullable<Status>): readonly string[] {
  if (endedAt !== undefined || from === undefined || to === undefined) return [];
  const weights = [...new Set(routes.map(({ weight }) => weight))].filter((weight) => weight > 0 && weight < 10_000);
  return weights.map((weight) => {
    const of = routes.filter((route) => route.weight === weight).map(({ service }) => service);
    const whose = of.length === routes.length ? 'traffic' : [...new Set(of)].join(', ');
    return `${whose}: ${formatWeight(10_000 - weight)} release ${from}, ${formatWeight(weight)} release ${to}`;
  });
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
