import { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
import { messageOf, UserError } from '../../lib/errors.ts';
import type { BuildEvent } from '../build/index.ts';
import { parseBuildSpec, requestOfSpec } from './build-spec.ts';
import type { Exchange } from './exchange.ts';
import { invalidParameter } from './http-errors.ts';
import { registryForBuilds } from './registries.ts';
import { credentialsFor } from './registry-auth.ts';
import type { Rooms } from './rooms.ts';
import type { Route } from './router.ts';
import { jsonLines } from './writing.ts';

const LONGEST_LINE_BYTES = 16 * 1024 * 1024;

type BuildRooms = Pick<Rooms, 'builder' | 'registry'>;

/** Bascule's own builds: every option, and every event. */
export function ownBuildRoutes(rooms: BuildRooms): readonly Route[] {
  return [{ method: 'POST', pattern: '/bascule/build', handle: (exchange) => build(rooms, exchange) }];
}

/**
 * The first line of the body is the request as JSON; what follows is the context where it is a stream. The answer is
 * one JSON line an event, then `{"result": …}` or `{"error": …}`.
 */
async function build({ builder, registry }: BuildRooms, exchange: Exchange): Promise<void> {
  const lines = jsonLines(exchange.stream('application/jsonl'));
  const shown = createShownEvents();
  const onProgress = (event: BuildEvent): void => lines.send(shown(event));
  try {
    const { line, rest } = await splitFirstLine(exchange.body);
    const spec = parseBuildSpec(line);
    const request = {
      ...requestOfSpec(spec, rest),
      registry: registryForBuilds(registry, credentialsFor(spec.logins)),
      signal: exchange.signal,
      onProgress,
    };
    if (spec.checkOnly) {
      await builder.check(request);
      lines.send({ result: {} });
    } else {
      const { imageId, image, tags } = await builder.build(request);
      lines.send({ result: { imageId, isStored: image !== undefined, tags } });
    }
  } catch (error) {
    if (!exchange.signal.aborted) lines.send({ error: bodyOf(error) });
  }
  lines.end();
}

/** Events as JSON: output as text, whose characters are whole. */
function createShownEvents(): (event: BuildEvent) => unknown {
  const decoders = new Map<string, StringDecoder>();
  return (event) => {
    if (event.kind !== 'output') return event;
    const name = `${event.step} ${event.stream}`;
    const decoder = decoders.get(name) ?? new StringDecoder('utf8');
    decoders.set(name, decoder);
    const { data, ...rest } = event;
    return { ...rest, text: decoder.write(data) };
  };
}

function bodyOf(error: unknown): unknown {
  if (error instanceof UserError) {
    const { code, kind, message, fix, details } = error;
    return { code, kind, message, fix, details };
  }
  return {
    code: 'bug',
    kind: 'failed',
    message: `unexpected error in the engine: ${messageOf(error)}`,
    fix: 'This is a bug in Bascule. Please report it with the log of the daemon.',
  };
}

async function splitFirstLine(body: Readable): Promise<{ readonly line: string; readonly rest: Readable }> {
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const read: Buffer[] = [];
  let length = 0;
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
    const end = next.value.indexOf(0x0a);
    if (end >= 0) {
      read.push(next.value.subarray(0, end));
      return { line: Buffer.concat(read).toString('utf8'), rest: restOf(next.value.subarray(end + 1), chunks) };
    }
    read.push(next.value);
    length += next.value.length;
    if (length > LONGEST_LINE_BYTES) throw invalidParameter('the first line of the request body is too long');
  }
  return { line: Buffer.concat(read).toString('utf8'), rest: Readable.from([]) };
}

function restOf(first: Buffer, chunks: AsyncIterator<Buffer>): Readable {
  async function* all(): AsyncGenerator<Buffer> {
    if (first.length > 0) yield first;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
  }
  return Readable.from(all());
}
