import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Roll, roundsOf } from './rolling-rounds.ts';

const NAMES = ['db', 'api', 'web'];

const rolls: fc.Arbitrary<readonly Roll[]> = fc
  .array(
    fc.record({
      old: fc.integer({ min: 1, max: 12 }),
      replicas: fc.integer({ min: 1, max: 12 }),
      parallelism: fc.integer({ min: 1, max: 5 }),
      maxUnavailable: fc.nat(4),
      maxSurge: fc.nat(4),
      isUsed: fc.boolean(),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((each) =>
    each.map((roll, index) => {
      const usedBy = NAMES.slice(index + 1, each.length);
      return { ...roll, service: NAMES[index]!, usedBy, isUsed: roll.isUsed || usedBy.length > 0 };
    }),
  );

const one = (more: Partial<Roll> = {}): Roll => ({
  service: 'web',
  old: 3,
  replicas: 3,
  parallelism: 1,
  maxUnavailable: 0,
  maxSurge: 1,
  isUsed: true,
  usedBy: [],
  ...more,
});

describe('the rounds of a rolling rollout', () => {
  it('brings one, then lets one go', () => {
    const move = { service: 'web', before: 0, starting: 1, after: 1 };
    assert.deepEqual(roundsOf([one()]), [[move], [move], [move]]);
  });

  it('lets one go first where that is said', () => {
    const move = { service: 'web', before: 1, starting: 1, after: 0 };
    assert.deepEqual(roundsOf([one({ maxUnavailable: 1, maxSurge: 0 })]), [[move], [move], [move]]);
  });

  it('never lets the only one go first when somebody uses it', () => {
    const [round] = roundsOf([one({ old: 1, replicas: 1, maxUnavailable: 1, maxSurge: 0 })]);
    assert.deepEqual(round, [{ service: 'web', before: 0, starting: 1, after: 1 }]);
  });

  it('advances all services by the same part', () => {
    const rounds = roundsOf([one({ service: 'api', old: 1, replicas: 1, usedBy: ['web'] }), one({ service: 'web' })]);
    assert.equal(rounds.length, 3);
    assert.deepEqual(
      rounds.map((moves) => moves.find(({ service }) => service === 'api')?.after ?? 0),
      [0, 0, 1],
    );
  });

  it('ends, and keeps to parallelism, max_unavailable and max_surge at every moment', () => {
    fc.assert(
      fc.property(rolls, (given) => {
        const state = new Map(given.map((roll) => [roll.service, { old: roll.old, fresh: 0 }]));
        const check = (roll: Roll): void => {
          const { old, fresh } = state.get(roll.service)!;
          const least = Math.max(roll.isUsed ? 1 : 0, Math.min(roll.old, roll.replicas) - roll.maxUnavailable);
          const most = Math.max(Math.max(roll.old, roll.replicas) + roll.maxSurge, least + 1);
          assert.ok(old + fresh >= least, `${roll.service}: ${old} + ${fresh} < ${least}`);
          assert.ok(old + fresh <= most, `${roll.service}: ${old} + ${fresh} > ${most}`);
          const isUsedByOld = roll.usedBy.some((name) => state.get(name)!.old > 0);
          if (isUsedByOld) assert.ok(old > 0, `${roll.service} is gone, and others of the old release use it`);
        };
        const rounds = roundsOf(given);
        assert.ok(rounds.length <= 200);
        for (const moves of rounds) {
          for (const act of ['before', 'starting', 'after'] as const) {
            for (const move of act === 'starting' ? moves : moves.toReversed()) {
              const roll = given.find(({ service }) => service === move.service)!;
              const own = state.get(move.service)!;
              assert.ok(move[act] >= 0 && move[act] <= roll.parallelism);
              if (act === 'starting') own.fresh += move.starting;
              else own.old -= move[act];
            }
            given.forEach(check);
          }
        }
        for (const { service, replicas } of given) assert.deepEqual(state.get(service), { old: 0, fresh: replicas });
      }),
      { numRuns: 2_000 },
    );
  });
});
