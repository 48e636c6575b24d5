import type { Readable } from 'node:stream';

/** Read ahead while what came is written. */
const MOST_AHEAD_BYTES = 4 * 1024 * 1024;

/**
 * A stream by pieces as they came: an iterator over it would copy them together. The stream and its buffers belong to
 * whoever reads here.
 */
export class Chunks {
  readonly #source: Readable;
  readonly #listeners: readonly (readonly [event: string, listener: (value?: unknown) => void])[];
  readonly #kept: Buffer[] = [];
  #bytes = 0;
  #hasEnded = false;
  #failure: Error | undefined;
  #wake: () => void = () => {};

  constructor(source: Readable) {
    this.#source = source;
    this.#listeners = [
      ['data', (chunk) => this.#keep(chunk as Buffer)],
      ['end', () => this.#end(undefined)],
      ['error', (error) => this.#end(error as Error)],
      ['close', () => this.#end(new Error('the archive ends early'))],
    ];
    for (const [event, listener] of this.#listeners) source.on(event, listener);
    if (source.destroyed) this.#end(new Error('the archive ends early'));
  }

  /** What is there, at most so many bytes, at least one; empty at the end. */
  async some(most: number): Promise<readonly Buffer[]> {
    await this.#until(1);
    return this.#take(most);
  }

  /** So many bytes; fewer at the end. */
  async exactly(count: number): Promise<Buffer> {
    await this.#until(count);
    return Buffer.concat(this.#take(count));
  }

  /** Reads on to the end, for nothing. */
  async exhaust(): Promise<void> {
    while ((await this.some(MOST_AHEAD_BYTES)).length > 0);
  }

  /** What still comes is dropped. */
  drop(): void {
    for (const [event, listener] of this.#listeners) if (event !== 'error') this.#source.off(event, listener);
    this.#kept.length = 0;
    this.#source.resume();
  }

  async #until(count: number): Promise<void> {
    while (this.#bytes < count && !this.#hasEnded) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      this.#source.resume();
      await promise;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  #keep(chunk: Buffer): void {
    this.#kept.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= MOST_AHEAD_BYTES) this.#source.pause();
    this.#wake();
  }

  #take(most: number): readonly Buffer[] {
    const taken: Buffer[] = [];
    for (let left = most; left > 0 && this.#kept.length > 0; left -= taken.at(-1)!.length) taken.push(this.#cut(left));
    if (this.#bytes < MOST_AHEAD_BYTES / 2) this.#source.resume();
    return taken;
  }

  #cut(most: number): Buffer {
    const chunk = this.#kept[0]!;
    if (chunk.length <= most) this.#kept.shift();
    else this.#kept[0] = chunk.subarray(most);
    const taken = chunk.length <= most ? chunk : chunk.subarray(0, most);
    this.#bytes -= taken.length;
    return taken;
  }

  #end(failure: Error | undefined): void {
    if (!this.#hasEnded) this.#failure = failure;
    this.#hasEnded = true;
    this.#wake();
  }
}

/**
 * Gives the memory of a chunk back at once: hundreds of megabytes that wait for the collector of garbage make it look
 * through the whole daemon again and again. Only for chunks that nobody else has.
 */
export function release({ buffer, length }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === length) buffer.transfer(0);
}
