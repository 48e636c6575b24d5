import { Readable } from 'node:stream';
import type { OutputPiece } from './face.ts';

export interface Source {
  readonly stream: 'stdout' | 'stderr';
  readonly readable: Readable;
}

/** One stream of pieces from several of bytes, in the order they come; ends when all have ended. Slow readers slow the writers. */
export function mergePieces(sources: readonly Source[]): AsyncIterable<OutputPiece> {
  let open = sources.length;
  const merged = new Readable({
    objectMode: true,
    read: () => sources.forEach(({ readable }) => readable.resume()),
  });
  const ended = (): void => {
    open -= 1;
    if (open === 0) merged.push(null);
  };
  for (const { stream, readable } of sources) {
    readable.on('data', (data: Buffer) => {
      if (!merged.push({ stream, at: new Date(), data })) sources.forEach((source) => source.readable.pause());
    });
    readable.once('close', ended);
    readable.on('error', () => {}); // it closes next
  }
  return merged;
}
