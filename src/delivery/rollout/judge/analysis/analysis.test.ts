import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type AnalysisSettings,
  type AnalysisState,
  type Block,
  DEFAULT_ANALYSIS,
  newAnalysis,
  observe,
  verdictOf,
} from './index.ts';

const SHARE = { share: 1_000 };
const ERRORS: AnalysisSettings = { ...DEFAULT_ANALYSIS, metrics: ['errors'], designEffect: { worse: 1, notWorse: 1 } };

const side = fc
  .record({ requests: fc.nat(1_000_000), failed: fc.nat(1_000_000), slow: fc.nat(1_000_000) })
  .map(({ requests, failed, slow }) => ({
    requests,
    failed: Math.min(failed, requests),
    slow: Math.min(slow, requests),
  }));
const looks = fc.array(fc.record({ stable: side, candidate: side }), { maxLength: 12 });

describe('the verdict', () => {
  it('is insufficient before anything was seen, and says how many requests it will take', () => {
    const { verdict, metrics } = verdictOf(newAnalysis(DEFAULT_ANALYSIS), SHARE);
    assert.equal(verdict, 'insufficient');
    for (const metric of metrics) assert.ok((metric.stillNeeded ?? 0) >= DEFAULT_ANALYSIS.minimumRequests);
  });

  it('fails a candidate that answers nothing but errors after a handful of requests', () => {
    const state = observe(newAnalysis(DEFAULT_ANALYSIS), blockOf([190, 0], [10, 10]));
    const { verdict, metrics } = verdictOf(state, SHARE);
    assert.equal(verdict, 'fail');
    assert.match(metrics[0]?.reason ?? '', /^10 of 10 requests \(100 %\) failed on the candidate, 0 of 190 .*: worse/);
  });

  it('does not fail a candidate for errors that stable has too', () => {
    const state = observe(newAnalysis(ERRORS), blockOf([1_000, 500], [100, 52]));
    assert.equal(verdictOf(state, SHARE).verdict, 'insufficient');
  });

  it('passes a candidate as good as stable once there are enough requests', () => {
    const early = observe(newAnalysis(ERRORS), blockOf([900, 1], [100, 0]));
    assert.equal(verdictOf(early, SHARE).verdict, 'insufficient');
    const late = observe(early, blockOf([18_000, 18], [2_000, 2]));
    assert.equal(verdictOf(late, SHARE).verdict, 'pass');
  });

  it('does not pass on silence', () => {
    const silent = observe(newAnalysis(ERRORS), blockOf([1_000_000, 0], [0, 0]));
    assert.equal(verdictOf(silent, SHARE).verdict, 'insufficient');
    assert.equal(verdictOf(silent, SHARE).metrics[0]?.notWorse, 0);
  });

  it('does not pass before the least number of requests, whatever the evidence', () => {
    const settings: AnalysisSettings = { ...ERRORS, delta: { errors: 0.5, slow: 0.5 }, minimumRequests: 50 };
    const state = observe(newAnalysis(settings), blockOf([400, 0], [49, 0]));
    const { verdict, metrics } = verdictOf(state, SHARE);
    assert.ok((metrics[0]?.notWorse ?? 0) > (metrics[0]?.thresholds.notWorse ?? Number.POSITIVE_INFINITY));
    assert.equal(verdict, 'insufficient');
    assert.equal(metrics[0]?.stillNeeded, 1);
  });

  it('holds nothing for fast while there is no threshold of slowness', () => {
    const untimed = { stable: { ...sideOf([9_000, 9]), timed: 0 }, candidate: { ...sideOf([1_000, 1]), timed: 0 } };
    const state = observe(newAnalysis(DEFAULT_ANALYSIS), untimed);
    const { verdict, metrics } = verdictOf(state, SHARE);
    assert.equal(verdict, 'insufficient');
    assert.deepEqual(
      metrics.map((metric) => metric.candidate.requests),
      [1_000, 0],
    );
  });

  it('does not hold the first requests against a candidate that is slow while it is cold', () => {
    const settings: AnalysisSettings = { ...DEFAULT_ANALYSIS, metrics: ['slow'], minimumRequests: 50 };
    const cold = observe(newAnalysis(settings), blockOf([900, 36], [50, 50]));
    assert.equal(verdictOf(cold, SHARE).metrics[0]?.worse, 0);
    assert.equal(verdictOf(observe(cold, blockOf([900, 36], [50, 50])), SHARE).verdict, 'fail');
  });

  it('stays a failure, whatever comes after', () => {
    const failed = observe(newAnalysis(ERRORS), blockOf([95, 0], [5, 5]));
    const after = observe(failed, blockOf([90_000, 90], [10_000, 10]));
    assert.equal(verdictOf(after, SHARE).verdict, 'fail');
  });

  it('notices a candidate that turns bad after a long good time', () => {
    let state = newAnalysis(ERRORS);
    for (let look = 0; look < 600; look++) state = observe(state, blockOf([9_000, 9], [1_000, 1]));
    assert.equal(verdictOf(state, SHARE).verdict, 'pass');
    let seen = 0;
    for (; verdictOf(state, SHARE).verdict !== 'fail' && seen < 5_000; seen += 100)
      state = observe(state, blockOf([900, 1], [100, 5]));
    assert.ok(seen <= 1_000, `${seen} requests`);
  });

  it('estimates what is still needed about right, towards either verdict', () => {
    const cases = [
      { at: 'start', word: 'pass', candidateHits: 1 },
      { at: 'later', word: 'fail', candidateHits: 20 },
    ] as const;
    for (const { at, word, candidateHits } of cases) {
      const look = blockOf([900, 0.9], [100, candidateHits / 10]);
      const start = newAnalysis(ERRORS);
      let state = at === 'start' ? start : observe(start, look);
      const estimate = verdictOf(state, SHARE).metrics[0]?.stillNeeded ?? 0;
      let took = 0;
      for (; verdictOf(state, SHARE).verdict === 'insufficient'; took += 100) state = observe(state, look);
      assert.equal(verdictOf(state, SHARE).verdict, word);
      assert.ok(took > estimate / 3 && took < estimate * 3, `${word}: ${took} for ${estimate}`);
    }
  });

  it('shares alpha among its metrics', () => {
    const [alone] = verdictOf(newAnalysis(ERRORS), SHARE).metrics;
    const [shared] = verdictOf(newAnalysis(DEFAULT_ANALYSIS), SHARE).metrics;
    assert.equal(alone?.thresholds.worse, 2);
    assert.ok(Math.abs((shared?.thresholds.worse ?? 0) - Math.log10(200)) < 1e-12);
  });

  it('is insufficient without metrics', () => {
    assert.equal(verdictOf(newAnalysis({ ...ERRORS, metrics: [] }), SHARE).verdict, 'insufficient');
  });
});

describe('the state', () => {
  it('survives the journal: after a round trip through JSON everything goes on as before', () => {
    fc.assert(
      fc.property(looks, looks, (before, after) => {
        const state = observeAll(newAnalysis(DEFAULT_ANALYSIS), before);
        const read = JSON.parse(JSON.stringify(state)) as AnalysisState;
        assert.deepEqual(verdictOf(observeAll(read, after), SHARE), verdictOf(observeAll(state, after), SHARE));
      }),
    );
  });

  it('holds only finite numbers, however extreme the counts', () => {
    fc.assert(
      fc.property(looks, fc.nat(10_000), (blocks, share) => {
        const state = observeAll(newAnalysis(DEFAULT_ANALYSIS), blocks);
        assert.doesNotMatch(JSON.stringify([state, verdictOf(state, { share })]), /null/);
      }),
    );
  });

  it('does not grow', () => {
    const size = (state: AnalysisState) => JSON.stringify(state).length;
    const one = observe(newAnalysis(DEFAULT_ANALYSIS), blockOf([90, 1], [10, 1]));
    let many = one;
    for (let look = 0; look < 1_000; look++) many = observe(many, blockOf([90, 1], [10, 1]));
    assert.ok(size(many) < 4_000 && size(many) < size(one) * 2);
  });

  it('waits for the other side: a look with one side counts with the next one', () => {
    const start = newAnalysis(DEFAULT_ANALYSIS);
    const apart = observeAll(start, [blockOf([19, 1], [0, 0]), blockOf([0, 0], [0, 0]), blockOf([0, 0], [1, 1])]);
    assert.deepEqual(apart, observe(start, blockOf([19, 1], [1, 1])));
  });

  it('hardly minds how the same traffic is cut into looks', () => {
    const whole = observe(newAnalysis(ERRORS), blockOf([9_000, 9], [1_000, 15]));
    const cut = observeAll(newAnalysis(ERRORS), Array<Block>(5).fill(blockOf([1_800, 2], [200, 3])));
    const [one] = verdictOf(whole, SHARE).metrics;
    const [five] = verdictOf(cut, SHARE).metrics;
    assert.ok(Math.abs((one?.worse ?? 0) - (five?.worse ?? 0)) < 0.5, `${one?.worse} and ${five?.worse}`);
  });

  it('takes one huge block for what it is, also for slowness', () => {
    const state = observe(newAnalysis(DEFAULT_ANALYSIS), blockOf([80_000, 0], [20_000, 0]));
    assert.equal(verdictOf(state, SHARE).verdict, 'pass');
  });

  it('takes less evidence from the same counts the larger the design effect', () => {
    const evidence = (designEffect: number) => {
      const state = observe(
        newAnalysis({ ...ERRORS, designEffect: { worse: designEffect, notWorse: designEffect } }),
        blockOf([900, 0], [100, 4]),
      );
      return verdictOf(state, SHARE).metrics[0]?.worse ?? 0;
    };
    assert.ok(evidence(1) > evidence(2) && evidence(2) > evidence(4));
  });
});

describe('many rollouts', () => {
  it('call a candidate as good as stable worse in less than alpha of them, looking at every block', () => {
    const failed = countRuns({ runs: 300, looks: 40, stable: 0.02, candidate: 0.02 }, 'fail');
    assert.ok(failed <= 3, `${failed} of 300`);
  });

  it('pass a candidate worse by exactly the margin in less than beta of them, looking at every block', () => {
    const passed = countRuns({ runs: 200, looks: 40, stable: 0.002, candidate: 0.012 }, 'pass');
    assert.ok(passed <= 10, `${passed} of 200`);
  });
});

interface Runs {
  readonly runs: number;
  readonly looks: number;
  readonly stable: number;
  readonly candidate: number;
}

/** Runs in which the verdict was ever `word`; 60 requests a look, a tenth of them to the candidate. */
function countRuns(o: Runs, word: string): number {
  const random = generator();
  let count = 0;
  for (let run = 0; run < o.runs; run++) {
    let state = newAnalysis(ERRORS);
    let ever = false;
    for (let look = 0; look < o.looks && !ever; look++) {
      state = observe(state, blockOf([54, hits(random, [54, o.stable])], [6, hits(random, [6, o.candidate])]));
      ever = verdictOf(state, SHARE).verdict === word;
    }
    if (ever) count++;
  }
  return count;
}

function hits(random: () => number, [requests, rate]: readonly [number, number]): number {
  let count = 0;
  for (let request = 0; request < requests; request++) if (random() < rate) count++;
  return count;
}

/** Mulberry32 of a fixed seed: a test that fails, fails always. */
function generator(): () => number {
  let state = 20_260_101;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function observeAll(state: AnalysisState, blocks: readonly Block[]): AnalysisState {
  return blocks.reduce(observe, state);
}

function blockOf(stable: readonly [number, number], candidate: readonly [number, number]): Block {
  return { stable: sideOf(stable), candidate: sideOf(candidate) };
}

function sideOf([requests, hits]: readonly [number, number]): Block['stable'] {
  return { requests, failed: hits, slow: hits };
}
