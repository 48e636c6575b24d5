import type { Command } from 'commander';
import type { ImageSummary, Streamed } from '../../../server/client/index.ts';
import { collect } from '../../arguments.ts';
import type { RunAction } from '../../command.ts';
import { formatAge, formatBytes, renderTable } from '../../output/table.ts';
import type { Session } from '../../session.ts';
import { collectFilter, type FilterOptions, shortId } from './words.ts';

interface ListOptions extends FilterOptions {
  readonly all?: boolean;
  readonly quiet?: boolean;
  readonly digests?: boolean;
  readonly trunc: boolean;
}

/** `bascule images`, and `bascule image ls`, which is the same. */
export function addList(command: Command, run: RunAction): void {
  command
    .argument('[name]', 'only images of this name, or whose name matches this pattern, e.g. "shop/*:2"')
    .option('-a, --all', 'also untagged images that others were built on')
    .option(
      '--filter <name=value>',
      'dangling=true|false, reference=PATTERN, label=KEY[=VALUE], before=IMAGE, since=IMAGE, until=TIME; several times',
      collectFilter,
    )
    .option('--digests', 'what registries call them, too')
    .option('--no-trunc', 'whole ids')
    .option('-q, --quiet', 'ids alone')
    .action(run((session, name: string | undefined, options: ListOptions) => list(session, name, options)));
}

async function list(session: Session, name: string | undefined, options: ListOptions): Promise<number> {
  const given = options.filter ?? {};
  const filters = name === undefined ? given : { ...given, reference: collect(name, given['reference']) };
  const client = await session.connect();
  const images = await client.images({ ...(options.all === true ? { all: true } : {}), filters });
  if (session.json) session.printJson(images);
  else if (options.quiet === true)
    session.print(
      idsOf(images, options)
        .map((id) => `${id}\n`)
        .join(''),
    );
  else session.print(renderImages(images, options, new Date()));
  return 0;
}

type Image = Streamed<ImageSummary>;

function idsOf(images: readonly Image[], { trunc }: ListOptions): readonly string[] {
  return images.map(({ id }) => (trunc ? shortId(id) : id));
}

/** One line for each name, as Docker prints them. */
function renderImages(
  images: readonly Image[],
  { trunc, digests = false }: Pick<ListOptions, 'trunc' | 'digests'>,
  now: Date,
): string {
  const rows = images.flatMap((image) =>
    namesOf(image).map(({ repository, tag, digest }) => [
      repository,
      tag,
      ...(digests ? [digest] : []),
      trunc ? shortId(image.id) : image.id,
      formatAge(new Date(image.createdAt), now),
      formatBytes(image.sizeBytes),
    ]),
  );
  const digestHeading = digests ? ['DIGEST'] : [];
  return renderTable(['REPOSITORY', 'TAG', ...digestHeading, 'IMAGE ID', 'CREATED', 'SIZE'], rows);
}

interface ImageName {
  readonly repository: string;
  readonly tag: string;
  readonly digest: string;
}

function namesOf({ references, digests }: Image): readonly ImageName[] {
  const digestOf = (repository: string): string =>
    digests.find((each) => each.startsWith(`${repository}@`))?.slice(repository.length + 1) ?? '<none>';
  const tagged = references.map((reference) => {
    const colon = reference.lastIndexOf(':');
    const repository = reference.slice(0, colon);
    return { repository, tag: reference.slice(colon + 1), digest: digestOf(repository) };
  });
  if (tagged.length > 0) return tagged;
  const pulled = digests.map((each) => {
    const [repository = '', digest = ''] = each.split('@');
    return { repository, tag: '<none>', digest };
  });
  return pulled.length > 0 ? pulled : [{ repository: '<none>', tag: '<none>', digest: '<none>' }];
}
