import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { mergeAsItComes, mergeByTime } from './merge.ts';

async function* lines(times: readonly number[]): AsyncGenerator<{ at: Date }> {
  for (const time of times) yield { at: new Date(time) };
}

it('merges sources that have ended in the order of time, and loses no line', async () => {
  const sources = fc.array(fc.array(fc.nat(1_000)).map((times) => times.toSorted((a, b) => a - b)));
  await fc.assert(
    fc.asyncProperty(sources, async (given) => {
      const merged = await Array.fromAsync(mergeByTime(given.map(lines)));
      assert.deepEqual(
        merged.map(({ at }) => at.getTime()),
        given.flat().toSorted((a, b) => a - b),
      );
    }),
  );
});

it('gives a line as soon as it comes when it follows, of sources that come later too', async () => {
  const silent = (async function* () {
    await new Promise(() => {});
    yield { at: new Date(0) };
  })();
  const more = (async function* () {
    yield lines([7]);
  })();
  const merged = mergeAsItComes([silent, lines([5])], more);
  const given = [(await merged.next()).value, (await merged.next()).value];
  assert.deepEqual(given.map((line) => line?.at.getTime()).toSorted(), [5, 7]);
});
