import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { weighedTargets } from './tcp-targets.ts';

const sides = fc.array(
  fc.record({
    weight: fc.integer({ min: 0, max: 10_000 }),
    targets: fc.array(
      fc.ipV4().map((address) => ({ address, port: 80 })),
      { maxLength: 7 },
    ),
  }),
  { maxLength: 3 },
);

describe('the weights of TCP targets', () => {
  it('gives each side its share in equal parts', () => {
    const [a, b, c] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'].map((address) => ({ address, port: 80 }));
    const targets = weighedTargets([
      { weight: 9_000, targets: [a!, b!] },
      { weight: 1_000, targets: [c!] },
    ]);
    assert.deepEqual(
      targets.map(({ weight }) => weight),
      [4_500, 4_500, 1_000],
    );
  });

  it('is always the whole of the traffic, whoever is away', () => {
    fc.assert(
      fc.property(sides, (given) => {
        const targets = weighedTargets(given);
        const isAnybodyThere = given.some((side) => side.weight > 0 && side.targets.length > 0);
        const sum = targets.reduce((total, { weight = 0 }) => total + weight, 0);
        assert.equal(sum, isAnybodyThere ? 10_000 : 0);
      }),
    );
  });
});
