import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Release } from '../../release/index.ts';
import { neededFiles } from './needed-files.ts';
import { EMPTY_STANDING, type SetRecord, type Standing } from '../plan/standing.ts';

/** Release N uses the secret `vN` and the config that all have. */
function release(number: number): Release {
  const web = { secrets: [{ source: 's', target: '/run/secrets/s' }], configs: [{ source: 'c' }] };
  return {
    project: 'p',
    number,
    model: { services: { web } },
    services: { web: {} },
    files: {
      'secrets/s': { version: `v${number}`, kind: 'secret' },
      'configs/c': { version: 'shared', kind: 'config' },
    },
  } as unknown as Release;
}

const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 9 });

describe('the configs and secrets that are needed', () => {
  it('are those of releases that live, are rolled out, or can be rolled back to; placed are those that live', () => {
    fc.assert(
      fc.property(numbers, numbers, numbers, fc.integer({ min: 0, max: 9 }), (served, live, open, prunedBelow) => {
        const origin = (number: number): SetRecord => ({ origin: number }) as SetRecord;
        const [current, ...warm] = live;
        const standing = {
          ...EMPTY_STANDING,
          prunedBelow,
          ...(current === undefined ? {} : { current: { release: current, sets: [origin(current)] } }),
          warm: warm.map((number) => ({ release: number, sets: [origin(number)] })),
        } as unknown as Standing;
        const all = Array.from({ length: 9 }, (_, at) => release(at + 1));
        const { versions, placements } = neededFiles([
          { releases: all, served: new Set(served), standing, open: new Set(open) },
        ]);
        for (const { number } of all) {
          const isLive = live.includes(number) || open.includes(number);
          const isKept = isLive || (served.includes(number) && number >= prunedBelow);
          assert.equal(versions.has(`v${number}`), isKept);
          assert.equal(
            placements.some(({ version }) => version === `v${number}`),
            isLive,
          );
        }
      }),
    );
  });

  it('of a set that is carried over are those of the release that made it', () => {
    const sets = [{ origin: 1 } as SetRecord];
    const standing: Standing = { ...EMPTY_STANDING, prunedBelow: 2, current: { release: 2, sets } };
    const { versions } = neededFiles([
      { releases: [release(1), release(2)], served: new Set([1, 2]), standing, open: new Set() },
    ]);
    assert.deepEqual([...versions].sort(), ['shared', 'v1', 'v2']);
  });
});
