import { checkAskedPlatform } from './asked-platform.ts';
import { registryNameOf } from '../../lib/docker-config/index.ts';
import { UserError } from '../../lib/errors.ts';
import { familiarName, parseReference, type Platform } from '../../lib/oci/index.ts';
import { parsePlatform, type TransferEvent } from '../registry/index.ts';
import type { Exchange } from './exchange.ts';
import { errorBodyOf, invalidParameter } from './http-errors.ts';
import { textOf } from './query.ts';
import { referenceOf } from './reference-text.ts';
import { credentialIn, credentialOf, textsOf } from './registry-auth.ts';
import { unreachableInDockersWords } from './registry-words.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { speaksAtLeast } from './versions.ts';
import { search } from './search.ts';
import { sendFailure } from './send-failure.ts';
import { createTransferTranscript } from './transfer-progress.ts';
import { jsonLines, type JsonLines } from './writing.ts';

type RegistryRooms = Pick<Rooms, 'registry' | 'images' | 'events'>;

/** Registries: push, log in, look up; pulling is `pull`, behind `POST /images/create`. */
export function registryRoutes(rooms: RegistryRooms): readonly Route[] {
  return [
    { method: 'POST', pattern: '/images/{name*}/push', handle: (exchange) => push(rooms, exchange) },
    { method: 'GET', pattern: '/images/search', handle: (exchange) => search(rooms, exchange) },
    { method: 'POST', pattern: '/auth', handle: (exchange) => authenticate(rooms, exchange) },
    { method: 'GET', pattern: '/distribution/{name*}/json', handle: (exchange) => distribution(rooms, exchange) },
  ];
}

/** `POST /images/create` with `fromImage`: one image, or all tags of a repository where no tag is named. */
export async function pull(rooms: RegistryRooms, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const from = textOf(query, 'fromImage');
  if (from === undefined) throw invalidParameter('neither fromImage nor fromSrc is given');
  const tag = textOf(query, 'tag');
  const platform = textOf(query, 'platform');
  const common = { ...accessOf(exchange), ...(platform === undefined ? {} : { platform: parsePlatform(platform) }) };
  const isWhole = tag === undefined && isRepository(from);
  const references = isWhole ? await allTags(rooms, from, common) : [referenceOf(from, tag)!];
  await transfer(exchange, async (lines) => {
    for (const reference of references) {
      await pullOne(rooms, { reference, lines, common }).catch(worded(exchange, reference));
    }
  });
}

interface Access {
  readonly signal: AbortSignal;
  readonly credential?: NonNullable<ReturnType<typeof credentialIn>>;
  readonly platform?: Platform;
}

function accessOf({ headers, signal }: Exchange): Access {
  const credential = credentialIn(headers['x-registry-auth']);
  return { signal, ...(credential === undefined ? {} : { credential }) };
}

/** Bascule's own clients say who they are, and get its own words. */
function worded({ headers }: Exchange, reference: string) {
  return (error: unknown): never => {
    throw headers['x-bascule-client'] === undefined ? unreachableInDockersWords(error, reference) : error;
  };
}

/** Neither a tag nor a digest. */
function isRepository(text: string): boolean {
  return !text.includes('@') && text.lastIndexOf(':') <= text.lastIndexOf('/');
}

async function allTags({ registry }: RegistryRooms, from: string, common: Access): Promise<readonly string[]> {
  return (await registry.tags(from, common)).map((tag) => `${from}:${tag}`);
}

type Started = () => JsonLines;

async function pullOne(
  { registry, events }: RegistryRooms,
  o: { reference: string; lines: Started; common: Access },
): Promise<void> {
  const { tag, digest } = parseReference(o.reference);
  const transcript = createTransferTranscript({ id: tag ?? digest });
  const onProgress = (event: TransferEvent): void => {
    for (const line of transcript(event)) o.lines().send(line);
  };
  const pulled = await registry.pull(o.reference, { ...o.common, onProgress });
  const name = o.reference;
  events.publish({ type: 'image', action: 'pull', actorId: name, attributes: { name } });
  o.lines().send({ status: `Digest: ${pulled.digest}` });
  const outcome = pulled.isNew ? 'Downloaded newer image for' : 'Image is up to date for';
  o.lines().send({ status: `Status: ${outcome} ${name}` });
}

/** `docker push`: one tag, or all that are here of a repository. */
async function push({ registry, images, events }: RegistryRooms, exchange: Exchange): Promise<void> {
  const name = exchange.params['name'] ?? '';
  const tag = textOf(exchange.query, 'tag');
  const references = tag === undefined && isRepository(name) ? tagsHere(images, name) : [referenceOf(name, tag)!];
  for (const reference of references.filter((each) => !each.includes('@'))) {
    const image = images.get(reference);
    if (speaksAtLeast(exchange, '1.46')) checkAskedPlatform(image, exchange.query);
  }
  await transfer(exchange, async (lines) => {
    for (const reference of references) {
      const transcript = createTransferTranscript({ id: undefined });
      const onProgress = (event: TransferEvent): void => {
        for (const line of transcript(event)) lines().send(line);
      };
      const { digest, sizeBytes } = await registry
        .push(reference, { ...accessOf(exchange), onProgress })
        .catch(worded(exchange, reference));
      const shown = parseReference(reference).tag ?? 'latest';
      events.publish({ type: 'image', action: 'push', actorId: reference, attributes: { name: reference } });
      lines().send({ status: `${shown}: digest: ${digest} size: ${sizeBytes}` });
      lines().send({ progressDetail: {}, aux: { Tag: shown, Digest: digest, Size: sizeBytes } });
    }
  });
}

/** @throws UserError `image-not-found` where there is none */
function tagsHere(images: RegistryRooms['images'], name: string): readonly string[] {
  const wanted = familiarName(parseReference(name));
  const all = images.list().flatMap(({ references }) => references);
  const here = all.filter((reference) => familiarName(parseReference(reference)) === wanted);
  return here.length === 0 ? [`${wanted}:latest`] : here;
}

/** What fails before the first line gets a status of its own. */
async function transfer(exchange: Exchange, work: (lines: Started) => Promise<void>): Promise<void> {
  let lines: JsonLines | undefined;
  const started = (): JsonLines => (lines ??= jsonLines(exchange.stream('application/json')));
  try {
    await work(started);
  } catch (error) {
    if (exchange.signal.aborted) return;
    if (lines === undefined) throw error;
    sendFailure(lines, error);
  }
  started().end();
}

/** `docker login` asks whether the registry knows somebody (Docker Engine API, `POST /auth`). */
async function authenticate({ registry }: RegistryRooms, exchange: Exchange): Promise<void> {
  const login = textsOf(await exchange.json());
  const credential = credentialOf(login);
  if (credential === undefined) throw invalidParameter('neither a user name nor a token is given');
  try {
    const known = await registry.login(registryNameOf(login.serveraddress ?? ''), {
      credential,
      signal: exchange.signal,
    });
    exchange.reply(200, { Status: 'Login Succeeded', IdentityToken: known.identityToken ?? '' });
  } catch (error) {
    if (!(error instanceof UserError) || error.kind !== 'denied') throw error;
    exchange.reply(401, errorBodyOf(error));
  }
}

/** What a registry has under a name, without pulling it (Docker Engine API, `GET /distribution/{name}/json`). */
async function distribution({ registry }: RegistryRooms, exchange: Exchange): Promise<void> {
  const found = await registry.resolve(exchange.params['name'] ?? '', accessOf(exchange));
  const { mediaType, digest, sizeBytes: size, platforms } = found;
  exchange.reply(200, { Descriptor: { mediaType, digest, size }, Platforms: platforms });
}
