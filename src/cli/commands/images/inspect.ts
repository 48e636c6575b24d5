import type { Command } from 'commander';
import { UserError } from '../../../lib/errors.ts';
import type { Client, ImageDetails } from '../../../server/client/index.ts';
import type { RunAction } from '../../command.ts';
import type { Style } from '../../output/style.ts';
import { formatAge, formatBytes, renderTable } from '../../output/table.ts';
import { shortId } from './words.ts';

export function addInspect(image: Command, run: RunAction): void {
  image
    .command('inspect')
    .summary('print where an image comes from and what its layers are good for')
    .description(
      'On a terminal: name, origin, and each layer with its size, its command and the bytes that a later layer made\n' +
        'useless. With --json, or where there is no terminal: everything as JSON, as `docker image inspect` tells it,\n' +
        'and what Bascule knows beyond that under `Bascule`.',
    )
    .argument('<name>', 'reference or id')
    .option('--text', 'as on a terminal')
    .action(
      run(async (session, name: string, options: { text?: boolean }) => {
        const client = await session.connect();
        const isText = !session.json && (options.text === true || session.host.stdout.isTTY === true);
        const inspected = await client.inspectImage(name);
        const details = await detailsOf(client, name);
        if (isText && details !== undefined) session.print(renderDetails(details, session.style, new Date()));
        else session.printJson({ ...(inspected as object), ...(details === undefined ? {} : { Bascule: details }) });
        return 0;
      }),
    );
}

/** Undefined where the engine is another one. */
async function detailsOf(client: Client, name: string): Promise<ImageDetails | undefined> {
  try {
    return await client.imageDetails(name);
  } catch (error) {
    if (error instanceof UserError && error.code === 'image-details-unsupported') return undefined;
    throw error;
  }
}

/** Facts, then the layers from the bottom, then what is useless in them. */
function renderDetails(details: ImageDetails, style: Style, now: Date): string {
  const { references, id, layers } = details;
  const rows = layers.map((layer, index) => [
    String(index + 1),
    formatBytes(layer.sizeBytes),
    layer.wastedBytes === 0 ? '-' : formatBytes(layer.wastedBytes),
    oneLine(layer.createdBy),
  ]);
  return [
    `${style.bold(references[0] ?? shortId(id))}\n`,
    ...factsOf(details, now).map(([what, value]) => `  ${what.padEnd(9)} ${value}\n`),
    `\n${renderTable(['LAYER', 'SIZE', 'WASTED', 'COMMAND'], rows)}`,
    ...wastedLines(details).map((line) => style.dim(`${line}\n`)),
  ].join('');
}

function factsOf(details: ImageDetails, now: Date): readonly (readonly [string, string])[] {
  const { id, references, digests, createdAt, platform, sizeBytes, wastedBytes, origin, documents } = details;
  const { source, revision, baseName, baseDigest } = origin;
  const base = [baseName, baseDigest].filter((each) => each !== undefined).join('@');
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['id', id],
    ['names', references.slice(1).join(', ')],
    ['digests', digests.join(', ')],
    ['made', createdAt === undefined ? undefined : `${createdAt} (${formatAge(new Date(createdAt), now)})`],
    ['platform', platform],
    [
      'size',
      `${formatBytes(sizeBytes)}${wastedBytes === 0 ? '' : `, of which ${formatBytes(wastedBytes)} are useless`}`,
    ],
    ['source', source],
    ['revision', revision],
    ['base', base],
    ['documents', documents.map(({ artifactType }) => DOCUMENTS[artifactType] ?? artifactType).join(', ')],
  ];
  return facts.filter((fact): fact is readonly [string, string] => fact[1] !== undefined && fact[1] !== '');
}

const DOCUMENTS: Readonly<Record<string, string>> = {
  'application/vnd.in-toto+json': 'provenance',
  'application/vnd.cyclonedx+json': 'SBOM (CycloneDX)',
  'application/spdx+json': 'SBOM (SPDX)',
};

function wastedLines({ layers, wastedBytes }: ImageDetails): readonly string[] {
  if (wastedBytes === 0) return [];
  const lines = layers.flatMap(({ wasted }, index) =>
    wasted.map(
      ({ path, bytes, layer }) => `  ${formatBytes(bytes)} /${path}: layer ${index + 1}, gone in layer ${layer}`,
    ),
  );
  return ['', 'Files that a later layer overwrites or deletes:', ...lines];
}

const WIDEST_COMMAND = 90;

function oneLine(command: string): string {
  const text = command.replaceAll(/\s+/g, ' ').trim();
  return text.length > WIDEST_COMMAND ? `${text.slice(0, WIDEST_COMMAND - 1)}…` : text;
}
