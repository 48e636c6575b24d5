import type { RequestSample } from '../../traffic/index.ts';

/** Which of the 10,000 buckets of clients have had their hit in this rollout: a bit each, as base64. Plain JSON. */
export type ClientMarks = string;

export const NO_MARKS: ClientMarks = '';

const BYTES = 10_000 / 8;

/**
 * How many of these hits are the first of their client, and who has had one now. Sides are not told apart: whoever
 * moves to the candidate when its weight grows has had his hit, as those who stay have. A client that came without a
 * bucket is new each time; several clients of one bucket pass for one.
 */
export function countFirst(
  marks: ClientMarks,
  hits: readonly Pick<RequestSample, 'client' | 'isNewClient'>[],
): { readonly first: number; readonly marks: ClientMarks } {
  const clients = hits.flatMap(({ client, isNewClient }) => (client === undefined ? [] : [{ client, isNewClient }]));
  let first = hits.length - clients.length;
  if (clients.length === 0) return { first, marks };
  const bits = Buffer.alloc(BYTES);
  bits.write(marks, 'base64');
  for (const { client, isNewClient } of clients) {
    const [byte, bit] = [client >> 3, 1 << (client & 7)];
    if (isNewClient === true || ((bits[byte] ?? 0) & bit) === 0) first++;
    bits[byte] = (bits[byte] ?? 0) | bit;
  }
  return { first, marks: bits.toString('base64') };
}
