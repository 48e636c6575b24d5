import { checkAskedPlatform } from './asked-platform.ts';
import { applyChanges } from './config-changes.ts';
import { parseSnapshotTime, type Snapshot } from '../image/index.ts';
import type { Exchange } from './exchange.ts';
import { invalidParameter, unsupported } from './http-errors.ts';
import { flagOf, textOf } from './query.ts';
import { referenceOf } from './reference-text.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { pull } from './routes-registry.ts';
import { sendFailure } from './send-failure.ts';
import { speaksAtLeast } from './versions.ts';
import { jsonLines, type JsonLines } from './writing.ts';

type TransferRooms = Pick<Rooms, 'images' | 'registry' | 'events'>;

/** Images that come and go: load, save, import, bootstrap, pull. */
export function transferRoutes(rooms: TransferRooms): readonly Route[] {
  return [
    { method: 'POST', pattern: '/images/load', handle: (exchange) => load(rooms, exchange) },
    {
      method: 'GET',
      pattern: '/images/get',
      handle: (exchange) => save(rooms, exchange, exchange.query.getAll('names')),
    },
    {
      method: 'GET',
      pattern: '/images/{name*}/get',
      handle: (exchange) => save(rooms, exchange, [exchange.params['name'] ?? '']),
    },
    { method: 'POST', pattern: '/images/create', handle: (exchange) => create(rooms, exchange) },
    { method: 'POST', pattern: '/images/bootstrap', handle: (exchange) => bootstrap(rooms, exchange) },
  ];
}

async function load({ images }: TransferRooms, exchange: Exchange): Promise<void> {
  const loaded = await images.load(exchange.body, { signal: exchange.signal });
  const lines = jsonLines(exchange.stream('application/json'));
  for (const image of loaded) {
    if (image.references.length === 0) lines.send({ stream: `Loaded image ID: ${image.id}\n` });
    for (const reference of image.references) lines.send({ stream: `Loaded image: ${reference}\n` });
  }
  lines.end();
}

async function save({ images }: TransferRooms, exchange: Exchange, names: readonly string[]): Promise<void> {
  const wanted = names.flatMap((name) => name.split(',')).filter((name) => name !== '');
  if (wanted.length === 0) throw invalidParameter('no image is named', 'Give the parameter names.');
  for (const name of wanted) {
    const image = images.get(name);
    if (speaksAtLeast(exchange, '1.48')) checkAskedPlatform(image, exchange.query);
  }
  const sink = exchange.stream('application/x-tar');
  await images.save(wanted, sink, {
    withAttachments: flagOf(exchange.query, 'documents'),
    signal: exchange.signal,
  });
  if (!sink.writableEnded) sink.end();
}

async function create(rooms: TransferRooms, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const source = textOf(query, 'fromSrc');
  if (source !== undefined) return importRoot(rooms, exchange, source);
  await pull(rooms, exchange);
}

/** `docker import`. */
async function importRoot({ images }: TransferRooms, exchange: Exchange, source: string): Promise<void> {
  const { query } = exchange;
  if (source !== '-') throw unsupported(`importing from ${source}`, 'Fetch the file first and import it from there.');
  const reference = referenceOf(textOf(query, 'repo'), textOf(query, 'tag'));
  const image = await images.importRoot(exchange.body, {
    ...(reference === undefined ? {} : { references: [reference] }),
    config: applyChanges({}, query.getAll('changes')),
    message: textOf(query, 'message') ?? 'Imported from -',
    signal: exchange.signal,
  });
  const lines = jsonLines(exchange.stream('application/json'));
  lines.send({ status: image.id });
  lines.end();
}

/** Bascule's own: makes a base image from packages, with progress as a JSON stream. */
async function bootstrap({ images }: TransferRooms, exchange: Exchange): Promise<void> {
  const reference = textOf(exchange.query, 'reference');
  if (reference === undefined) throw invalidParameter('the parameter reference is missing', 'e.g. debian:bookworm');
  let lines: JsonLines | undefined;
  const started = (): JsonLines => (lines ??= jsonLines(exchange.stream('application/json')));
  try {
    const image = await images.bootstrap(reference, {
      ...snapshotOf(exchange),
      onOutput: (line) => started().send({ stream: `${line}\n` }),
      signal: exchange.signal,
    });
    started().send({ aux: { ID: image.id } });
  } catch (error) {
    if (lines === undefined || exchange.signal.aborted) throw error;
    sendFailure(lines, error);
  }
  lines?.end();
}

function snapshotOf({ query }: Exchange): { readonly snapshot?: Snapshot } {
  const time = textOf(query, 'snapshot');
  const mirror = textOf(query, 'mirror');
  if (time === undefined) return {};
  return { snapshot: { at: parseSnapshotTime(time), ...(mirror === undefined ? {} : { mirror }) } };
}
