import { createHash } from 'node:crypto';
import type { DigestState } from './face.ts';

/** Between so many contents lie states, about: each takes 400 bytes in a record. */
const STATES = 64;

/** What an archive is, without the contents that are elsewhere. */
export interface ArchiveFrame {
  readonly frame: Uint8Array;
  /** Where each content comes in, in their order. */
  readonly places: readonly number[];
}

/** What the thread knows at one of its stops. */
export interface Stop {
  /** Contents that are digested. */
  readonly done: number;
  readonly state: Uint8Array;
}

/** After how many contents a state is noted: a multiple of `cell`. */
export function stepOf(contents: number, cell: number): number {
  return Math.max(1, Math.ceil(contents / STATES / cell)) * cell;
}

/**
 * The last state of the layer before from which this archive can go on: it begins with the same bytes.
 * @param same how many contents, from the first, are those of that layer
 */
export function usableState(
  { frame, places }: ArchiveFrame,
  o: { readonly states: readonly DigestState[]; readonly same: number; readonly cell: number },
): DigestState | undefined {
  const check = checker({ frame, places });
  let last: DigestState | undefined;
  for (const state of o.states.toSorted((a, b) => a.done - b.done)) {
    const { done, library } = state;
    const isPossible = done > 0 && done <= o.same && done % o.cell === 0 && library === libraryName();
    if (!isPossible || check(done) !== state.check) break; // nor are those behind it
    last = state;
  }
  return last;
}

/** States that a later archive may go on from: those before the one that this archive began with, and its own. */
export function statesOf(
  archive: ArchiveFrame,
  o: { readonly before: readonly DigestState[]; readonly stops: readonly Stop[] },
): readonly DigestState[] {
  const check = checker(archive);
  const own = o.stops.map(({ done, state }) => ({
    done,
    state: Buffer.from(state).toString('base64'),
    check: check(done),
    library: libraryName(),
  }));
  return [...o.before, ...own];
}

/** Digest of all in an archive up to its n-th content but the contents themselves; to be asked in rising order. */
function checker({ frame, places }: ArchiveFrame): (done: number) => string {
  const bytes = createHash('sha256');
  const numbers = createHash('sha256');
  let at = 0;
  return (done) => {
    const end = places[done - 1] ?? 0;
    bytes.update(frame.subarray(places[at - 1] ?? 0, end));
    numbers.update(`${places.slice(at, done).join(' ')} `);
    at = done;
    return `${bytes.copy().digest('hex')} ${numbers.copy().digest('hex')}`;
  };
}

/** What a state means is the library's own affair. */
function libraryName(): string {
  return `openssl ${process.versions.openssl} ${process.arch}`;
}
