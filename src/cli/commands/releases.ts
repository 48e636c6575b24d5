import type { Command } from 'commander';
import type { ReleaseDetail, ReleaseDiff, ReleaseView, Streamed } from '../../server/client/index.ts';
import { parseCount } from '../arguments.ts';
import type { AddCommand, RunAction } from '../command.ts';
import type { Style } from '../output/style.ts';
import { formatAge, renderTable } from '../output/table.ts';

export const addReleases: AddCommand = (program, run) => {
  const releases = program
    .command('releases')
    .summary('list the releases of this project, show one, compare two')
    .addHelpText(
      'after',
      '\nExamples:\n' +
        '  bascule releases             all of them, newest first\n' +
        '  bascule releases show 12     what was frozen: Compose file, digests, files\n' +
        '  bascule releases diff 11 12  what changed',
    );
  releases
    .command('ls', { isDefault: true })
    .summary('list the releases, newest first')
    .action(
      run(async (session) => {
        const client = await session.connect();
        const all = await client.releases(await session.project(client));
        const now = new Date();
        if (session.json) session.printJson(all);
        else
          session.print(
            renderTable(
              HEADINGS,
              all.map((release) => rowOf(release, now)),
            ),
          );
        return 0;
      }),
    );
  addShow(releases, run);
  addDiff(releases, run);
};

function addShow(releases: Command, run: RunAction): void {
  releases
    .command('show')
    .summary('print a release with everything that was frozen')
    .argument('<release>', 'number of the release', parseCount)
    .action(
      run(async (session, number: number) => {
        const client = await session.connect();
        const release = await client.release(await session.project(client), number);
        if (session.json) session.printJson(release);
        else session.print(renderRelease(release, session.style));
        return 0;
      }),
    );
}

function addDiff(releases: Command, run: RunAction): void {
  releases
    .command('diff')
    .summary('print what differs between two releases')
    .argument('<from>', 'number of a release', parseCount)
    .argument('<to>', 'number of another one', parseCount)
    .action(
      run(async (session, from: number, to: number) => {
        const client = await session.connect();
        const diff = await client.diff(await session.project(client), from, to);
        if (session.json) session.printJson(diff);
        else session.print(renderDiff(diff, session.style));
        return 0;
      }),
    );
}

const HEADINGS = ['RELEASE', 'STATE', 'CREATED', 'AUTHOR', 'REVISION', 'SERVICES'] as const;

function rowOf(release: Streamed<ReleaseView>, now: Date): readonly string[] {
  const services = release.services.map(
    ({ name, replicas, imageId }) => `${name}${replicas === 1 ? '' : `×${replicas}`}@${shortId(imageId)}`,
  );
  return [
    String(release.number),
    release.state,
    formatAge(new Date(release.createdAt), now),
    release.author,
    release.sourceRevision?.slice(0, 12) ?? '-',
    services.join(' '),
  ];
}

/** Facts and tables first, the Compose file last, so that it can be copied. */
export function renderRelease(release: Streamed<ReleaseDetail>, style: Style): string {
  const { project, number, state, createdAt, author, sourceRevision, predecessor, rollouts, files } = release;
  const facts = [
    `made ${createdAt} by ${author}`,
    ...(sourceRevision === undefined ? [] : [`revision ${sourceRevision}`]),
    ...(predecessor === undefined ? [] : [`after release ${predecessor}`]),
    ...(rollouts.length === 0
      ? []
      : [`rollouts ${rollouts.join(', ')}: \`bascule ledger ${rollouts[0]}\` has the evidence`]),
  ];
  const services = release.services.map(({ name, replicas, image, imageId, stateful }) => [
    name,
    String(replicas),
    stateful ? 'yes' : 'no',
    image,
    imageId,
  ]);
  const versions = files.map(({ name, kind, version }) => [name, kind, version.slice(0, 12)]);
  return [
    `${style.bold(`release ${number} of ${project}`)}: ${state}\n`,
    ...facts.map((fact) => `  ${fact}\n`),
    `\n${renderTable(['SERVICE', 'INSTANCES', 'STATEFUL', 'IMAGE', 'DIGEST'], services)}`,
    versions.length === 0 ? '' : `\n${renderTable(['FILE', 'KIND', 'VERSION'], versions)}`,
    `\n${style.dim('# the Compose file as it was frozen')}\n${release.compose}`,
  ].join('');
}

/** One place a line, as diffs look: `-` what was, `+` what is. */
export function renderDiff({ project, from, to, changes }: Streamed<ReleaseDiff>, style: Style): string {
  if (changes.length === 0) return `releases ${from} and ${to} of ${project} are the same\n`;
  const blocks = changes.map(({ path, before, after }) =>
    [
      `${style.bold(path)}\n`,
      ...linesOf(before).map((line) => `${style.red(`  - ${line}`)}\n`),
      ...linesOf(after).map((line) => `${style.green(`  + ${line}`)}\n`),
    ].join(''),
  );
  return `${style.dim(`release ${from} -> release ${to} of ${project}`)}\n${blocks.join('')}`;
}

function linesOf(text: string | undefined): readonly string[] {
  return text === undefined ? [] : text.replace(/\n$/, '').split('\n');
}

function shortId(imageId: string): string {
  return imageId.replace('sha256:', '').slice(0, 12);
}
