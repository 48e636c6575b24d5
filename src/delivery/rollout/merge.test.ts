import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { mergeByTime } from './merge.ts';

async function* lines(times: readonly number[]): AsyncGenerator<{ at: Date }> {
  for (const time of times) yield { at: new Date(time) };
}

it('merges sources that have ended in the order of time, and loses no line', async () => {
  const sources = fc.array(fc.array(fc.nat(1_000)).map((times) => times.toSorted((a, b) => a - b)));
  await fc.assert(
    fc.asyncProperty(sources, async (given) => {
      const merged = await Array.fromAsync(mergeByTime(given.map(lines), false));
      assert.deepEqual(
        merged.map(({ at }) => at.getTime()),
        given.flat().toSorted((a, b) => a - b),
      );
    }),
  );
});

it('gives a line as soon as it comes when it follows', async () => {
  const silent = (async function* () {
    await new Promise(() => {});
    yield { at: new Date(0) };
  })();
  const merged = mergeByTime([silent, lines([5])], true);
  assert.deepEqual((await merged.next()).value, { at: new Date(5) });
});
