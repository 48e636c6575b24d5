import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { freeLanes, laneName } from './lanes.ts';

const anyLane = fc.nat({ max: 300 }).map(laneName);

describe('lanes', () => {
  it('are named so that they sort', () => {
    assert.deepEqual([0, 7, 255, 1_000].map(laneName), ['lane-000', 'lane-007', 'lane-255', 'lane-1000']);
  });

  it('are free when nobody uses or has reserved them', () => {
    fc.assert(
      fc.property(fc.array(anyLane), fc.array(anyLane), fc.nat(300), fc.nat(20), (used, reserved, laneCount, count) => {
        const lanes = used.map((id) => ({ id, instances: [], sessions: 0 }));
        const free = freeLanes({ lanes, laneCount }, count, new Set(reserved));
        assert.equal(new Set(free).size, free.length);
        assert.ok(free.length <= count);
        assert.ok(free.every((lane) => !used.includes(lane) && !reserved.includes(lane)));
        assert.ok(free.every((lane) => Number(lane.slice(5)) < laneCount));
        const all = Array.from({ length: laneCount }, (_, index) => laneName(index));
        const left = all.filter((lane) => !used.includes(lane) && !reserved.includes(lane));
        assert.equal(free.length, Math.min(count, left.length));
      }),
    );
  });
});
