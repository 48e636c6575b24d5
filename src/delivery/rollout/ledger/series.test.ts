import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { RequestSample } from '../../traffic/index.ts';
import { addToSeries, MOST_POINTS, NO_SERIES, noteInSeries, type Series } from './series.ts';

const sample = (atMs: number, more: Partial<RequestSample> = {}): RequestSample => ({
  atMs,
  route: 'p/web/80',
  lane: 'lane-001',
  chosenBy: 'weight',
  status: 200,
  responseMs: 5,
  totalMs: 6,
  appError: false,
  ...more,
});
const sideOf = (lane: string) => (lane === 'lane-001' ? 'stable' : lane === 'lane-002' ? 'candidate' : undefined);
const requestsIn = ({ points }: Series): number =>
  points.reduce((sum, { sides }) => sum + (sides.stable?.requests ?? 0) + (sides.candidate?.requests ?? 0), 0);

describe('what a rollout saw over time', () => {
  it('is told apart by second and by side', () => {
    const { points } = addToSeries(NO_SERIES, sideOf, [
      sample(1_100),
      sample(1_900, { appError: true, status: 500 }),
      sample(1_500, { lane: 'lane-002', loss: 'reset', responseMs: -1, status: -1 }),
      sample(3_000, { responseMs: -1, status: -1 }),
    ]);
    assert.deepEqual(
      points.map(({ atMs }) => atMs),
      [1_000, 3_000],
    );
    const { stable, candidate } = points[0]!.sides;
    assert.deepEqual([stable?.requests, stable?.appErrors, stable?.lost, stable?.left], [2, 1, 0, 0]);
    assert.deepEqual([candidate?.requests, candidate?.lost, candidate?.responses.count], [1, 1, 0]);
    assert.equal(points[1]!.sides.stable?.left, 1);
  });

  it('leaves probes and lanes of others out', () => {
    const series = addToSeries(NO_SERIES, sideOf, [
      sample(1_000, { chosenBy: 'probe' }),
      sample(1_000, { lane: 'lane-009' }),
    ]);
    assert.equal(requestsIn(series), 0);
  });

  it('keeps the last word of the analysis in a step', () => {
    const evidence = (worse: number) => [{ metric: 'errors', worse, notWorse: 0 }];
    const once = noteInSeries(addToSeries(NO_SERIES, sideOf, [sample(1_000)]), 1_100, {
      weight: 500,
      evidence: evidence(1),
    });
    const { points } = noteInSeries(once, 1_900, { weight: 2_500, evidence: evidence(2) });
    assert.equal(points.length, 1);
    assert.deepEqual([points[0]?.weight, points[0]?.evidence], [2_500, evidence(2)]);
    assert.equal(points[0]?.sides.stable?.requests, 1);
  });

  it('never has more points than it may, is in order, and loses no request however long it takes', () => {
    const times = fc.array(fc.integer({ min: 0, max: 5_000_000 }), { maxLength: 1_500 });
    fc.assert(
      fc.property(times, (all) => {
        let series: Series = NO_SERIES;
        for (let from = 0; from < all.length; from += 100)
          series = addToSeries(
            series,
            sideOf,
            all.slice(from, from + 100).map((atMs) => sample(atMs)),
          );
        assert.ok(series.points.length <= MOST_POINTS);
        assert.equal(requestsIn(series), all.length);
        assert.ok(series.points.every(({ atMs }) => atMs % series.stepMs === 0));
        assert.ok(series.points.every(({ atMs }, index) => index === 0 || atMs > series.points[index - 1]!.atMs));
      }),
      { numRuns: 25 },
    );
  });
});
