import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { RequestSample } from '../../traffic/index.ts';
import { addDurations, DEFAULT_ANALYSIS, NO_DURATIONS, verdictOf } from './analysis/index.ts';
import { addRequests, closeBlocks, newComparison, withRoutes } from './comparison.ts';
import { addSamples, failedOf, NO_REQUESTS } from './samples-tally.ts';

const SIDES = [{ service: 'web', route: 'p/web/80', stable: 'lane-000', candidate: 'lane-001' }];

function sample(lane: string, changes: Partial<RequestSample> = {}): RequestSample {
  const answered = { atMs: 0, route: 'p/web/80', status: 200, responseMs: 10, totalMs: 11, appError: false } as const;
  return { ...answered, lane, chosenBy: 'weight', ...changes };
}
const STABLE = 'lane-000';
const CANDIDATE = 'lane-001';
const past = addDurations(
  NO_DURATIONS,
  Array.from({ length: 200 }, () => 10),
);

function compared(samples: readonly RequestSample[]) {
  const fresh = withRoutes(newComparison(DEFAULT_ANALYSIS), SIDES, () => past);
  return closeBlocks(addRequests(fresh, SIDES, samples), { all: false });
}

function seen(samples: readonly RequestSample[]) {
  const { metrics } = compared(samples).analysis;
  return Object.fromEntries(metrics.map(({ metric, stable, candidate }) => [metric, { stable, candidate }]));
}

describe('what counts as evidence', () => {
  it('counts 5xx and losses as failures, 4xx not', () => {
    const { errors } = seen([
      sample(STABLE),
      sample(CANDIDATE, { status: 404 }),
      sample(CANDIDATE, { status: 500, appError: true }),
      sample(CANDIDATE, { status: 503, loss: 'refused', responseMs: -1 }),
      sample(CANDIDATE, { loss: 'truncated' }),
    ]);
    assert.deepEqual(errors?.candidate, { requests: 4, hits: 3 });
  });

  it('leaves out who asked for a side', () => {
    const { errors } = seen([
      sample(STABLE),
      sample(CANDIDATE),
      sample(CANDIDATE, { chosenBy: 'cohort', appError: true, status: 500 }),
      sample(CANDIDATE, { chosenBy: 'preview', appError: true, status: 500 }),
      sample(CANDIDATE, { chosenBy: 'client', appError: true, status: 500 }),
    ]);
    assert.deepEqual(errors?.candidate, { requests: 1, hits: 0 });
  });

  it('holds both sides against the stable one as it was before the block', () => {
    const { slow } = seen([
      sample(STABLE, { responseMs: 100 }),
      sample(CANDIDATE, { responseMs: 14 }),
      sample(CANDIDATE, { responseMs: 16 }),
    ]);
    assert.deepEqual(slow, { stable: { requests: 1, hits: 1 }, candidate: { requests: 2, hits: 1 } });
  });

  it('knows of a client that left only that it had waited so long', () => {
    const left = { status: -1, responseMs: -1 };
    const { errors, slow } = seen([
      sample(STABLE),
      sample(CANDIDATE),
      sample(CANDIDATE, { ...left, totalMs: 3 }),
      sample(CANDIDATE, { ...left, totalMs: 5_000 }),
    ]);
    assert.deepEqual(errors?.candidate, { requests: 1, hits: 0 });
    assert.deepEqual(slow?.candidate, { requests: 2, hits: 1 });
  });

  it('keeps what has one side only until the other one has answered, and drops it when the weight changes', () => {
    const open = compared([sample(STABLE), sample(STABLE)]);
    const whole = closeBlocks(addRequests(open, SIDES, [sample(CANDIDATE)]), { all: false });
    assert.equal(whole.analysis.metrics[0]?.stable.requests, 2);
    const dropped = closeBlocks(open, { all: true });
    const after = closeBlocks(addRequests(dropped, SIDES, [sample(CANDIDATE)]), { all: false });
    assert.equal(after.analysis.metrics[0]?.candidate.requests, 0);
  });

  it('compares each route by itself', () => {
    const sides = [...SIDES, { service: 'api', route: 'p/api/80', stable: 'lane-002', candidate: 'lane-003' }];
    const fresh = withRoutes(newComparison(DEFAULT_ANALYSIS), sides, () => past);
    const api = { route: 'p/api/80' };
    const more = addRequests(fresh, sides, [
      sample(STABLE),
      sample('lane-003', { ...api, status: 500, appError: true }),
    ]);
    assert.equal(closeBlocks(more, { all: false }).analysis.metrics[0]?.candidate.requests, 0);
    const both = addRequests(more, sides, [sample('lane-002', api)]);
    const { candidate, stable } = closeBlocks(both, { all: false }).analysis.metrics[0]!;
    assert.deepEqual([stable.requests, candidate], [1, { requests: 1, hits: 1 }]);
  });

  it('finds a candidate that fails one request in twenty within some hundred of them', () => {
    let comparison = withRoutes(newComparison(DEFAULT_ANALYSIS), SIDES, () => past);
    let requests = 0;
    for (; requests < 2_000; requests += 20) {
      const stable = Array.from({ length: 20 }, () => sample(STABLE));
      const candidate = Array.from({ length: 20 }, (_, n) =>
        sample(CANDIDATE, n === 0 ? { status: 500, appError: true } : {}),
      );
      comparison = closeBlocks(addRequests(comparison, SIDES, [...stable, ...candidate]), { all: false });
      if (verdictOf(comparison.analysis, { share: 5_000 }).verdict === 'fail') break;
    }
    assert.ok(requests < 600, `found after ${requests}`);
  });

  it('bets on the first failure of a client only, and counts all of its requests', () => {
    const failed = { status: 500, appError: true } as const;
    const evidence = (of: (n: number) => Partial<RequestSample>) => {
      const good = Array.from({ length: 90 }, () => sample(STABLE));
      const bad = Array.from({ length: 10 }, (_, n) => sample(CANDIDATE, { ...failed, ...of(n) }));
      const [errors] = verdictOf(compared([...good, ...bad]).analysis, { share: 1_000 }).metrics;
      assert.deepEqual([errors?.candidate.requests, errors?.candidate.hits], [10, 10]);
      return errors?.worse ?? 0;
    };
    assert.ok(evidence(() => ({ client: 5 })) < 1);
    assert.ok(evidence((n) => ({ client: n })) > 4);
    assert.equal(
      evidence(() => ({})),
      evidence(() => ({ client: 5, isNewClient: true })),
    );
  });

  it('counts who failed on stable no second time when the weight has moved him', () => {
    const failed = { status: 500, appError: true, client: 3_000 } as const;
    const before = compared([sample(STABLE, failed), sample(CANDIDATE)]);
    const moved = addRequests(closeBlocks(before, { all: true }), SIDES, [sample(CANDIDATE, failed)]);
    assert.deepEqual(
      [moved.routes['p/web/80']?.candidate.failed, moved.routes['p/web/80']?.candidate.firstFailed],
      [1, 0],
    );
  });

  it('gives slow requests of one client to the bet once, too', () => {
    const slow = { responseMs: 100, client: 4 };
    const open = addRequests(
      withRoutes(newComparison(DEFAULT_ANALYSIS), SIDES, () => past),
      SIDES,
      [sample(CANDIDATE, slow), sample(CANDIDATE, slow)],
    );
    const { candidate } = open.routes['p/web/80']!;
    assert.deepEqual([candidate.slow, candidate.firstSlow, candidate.timed], [2, 1, 2]);
  });

  it('survives being written down', () => {
    const open = compared([sample(STABLE, { status: 500, appError: true, client: 1 }), sample(STABLE)]);
    assert.deepEqual(JSON.parse(JSON.stringify(open)), open);
  });
});

describe('what became of the requests of a lane', () => {
  it('is told by kind', () => {
    const tally = addSamples(NO_REQUESTS, [
      sample(STABLE),
      sample(STABLE, { status: 503, loss: 'refused', responseMs: -1 }),
      sample(STABLE, { status: 502, loss: 'reset' }),
      sample(STABLE, { status: 500, appError: true }),
      sample(STABLE, { status: -1, responseMs: -1 }),
    ]);
    assert.equal(tally.requests, 5);
    assert.equal(tally.left, 1);
    assert.equal(failedOf(tally), 3);
    assert.deepEqual(tally.losses, { refused: 1, reset: 1, truncated: 0, 'proxy-error': 0 });
    assert.equal(tally.responses.count, 3);
  });
});
