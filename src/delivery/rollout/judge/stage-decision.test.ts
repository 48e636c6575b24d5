import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { newAnalysis, observe, verdictOf, DEFAULT_ANALYSIS, type Verdict } from './analysis/index.ts';
import { decideStage, type StageView } from './stage-decision.ts';

const said = { author: 'ann', atMs: 0 };

function verdict(
  counts: { readonly stable: number; readonly candidate: number; readonly failed: number },
  blocks = 1,
): Verdict {
  const side = (requests: number, failed: number) => ({ requests, failed, slow: 0, timed: requests });
  const block = { stable: side(counts.stable, 0), candidate: side(counts.candidate, counts.failed) };
  let state = newAnalysis(DEFAULT_ANALYSIS);
  for (let n = 0; n < blocks; n++) state = observe(state, block);
  return verdictOf(state, { share: 2_000 });
}
const PASS = verdict({ stable: 800, candidate: 200, failed: 0 }, 100);
const FAIL = verdict({ stable: 8_000, candidate: 2_000, failed: 100 });
const LITTLE = verdict({ stable: 80, candidate: 20, failed: 0 });
const NOTHING = verdict({ stable: 0, candidate: 0, failed: 0 });

function view(changes: Partial<StageView> = {}): StageView {
  return {
    seq: 7,
    stage: 1,
    stages: 3,
    until: { forMs: 1_000 },
    elapsedMs: 1_000,
    requests: 100,
    perSecond: 10,
    verdict: PASS,
    guards: [{ name: 'instances', state: 'ok', detail: '' }],
    isAsking: false,
    steering: { confirmed: [] },
    onInsufficient: 'wait',
    maxWaitMs: 60_000,
    waitedMs: 0,
    ...changes,
  };
}

describe('whether a stage ends', () => {
  it('ends when its time is over and the candidate has passed', () => {
    assert.deepEqual(decideStage(view()), { kind: 'end' });
    assert.equal(decideStage(view({ elapsedMs: 999 })).kind, 'stay');
  });

  it('fails as soon as the candidate is worse, whatever else holds', () => {
    for (const steering of [{ paused: said }, { promoted: said }, { weight: { ...said, points: 1 } }, {}]) {
      const decision = decideStage(view({ verdict: FAIL, elapsedMs: 0, steering: { confirmed: [], ...steering } }));
      assert.ok(decision.kind === 'fail' && decision.code === 'rollout-worse');
      assert.match(decision.reason, /100 of 2,000 requests \(5 %\) failed on the candidate, 0 of 8,000/);
    }
  });

  it('fails when a guard does, even if it was promoted', () => {
    const guards = [{ name: 'latency', state: 'failed' as const, detail: '3 is above 2' }];
    const decision = decideStage(view({ guards, elapsedMs: 0, steering: { confirmed: [], promoted: said } }));
    assert.deepEqual(decision, { kind: 'fail', code: 'rollout-guard', reason: 'latency: 3 is above 2' });
  });

  it('says how many requests are missing and how long they take', () => {
    const decision = decideStage(view({ verdict: LITTLE }));
    assert.ok(decision.kind === 'stay' && decision.state === 'waiting' && decision.lacksEvidence);
    assert.match(
      decision.note ?? '',
      /about [\d,]+ more requests to the candidate are needed .*\(.* at 10 per second\)/,
    );
  });

  it('never takes silence for a pass', () => {
    const quiet = view({ verdict: NOTHING, requests: 0, perSecond: 0 });
    const waiting = decideStage(quiet);
    assert.ok(waiting.kind === 'stay' && waiting.state === 'waiting');
    assert.match(waiting.note ?? '', /answered no request yet/);
    const over = decideStage({ ...quiet, waitedMs: 60_000 });
    assert.ok(over.kind === 'fail' && over.code === 'rollout-insufficient');
    assert.equal(decideStage({ ...quiet, onInsufficient: 'abort' }).kind, 'fail');
    const promoted = decideStage({ ...quiet, onInsufficient: 'promote' });
    assert.match(promoted.kind === 'end' ? (promoted.warning ?? '') : '', /too little is known, as declared/);
  });

  it('waits for declared requests, then does as declared', () => {
    const few = view({ until: { requests: 150 }, onInsufficient: 'abort' });
    const waiting = decideStage(few);
    assert.ok(waiting.kind === 'stay' && waiting.lacksEvidence);
    assert.match(waiting.note ?? '', /50 requests more must be answered by the new release \(5.0 s at 10 per second\)/);
    assert.equal(decideStage({ ...few, waitedMs: 60_000 }).kind, 'fail');
    assert.equal(decideStage({ ...few, requests: 150 }).kind, 'end');
  });

  it('does not end while a guard is unknown', () => {
    const guards = [{ name: 'latency', state: 'unknown' as const, detail: 'the query finds no data' }];
    const decision = decideStage(view({ guards }));
    assert.ok(decision.kind === 'stay' && decision.state === 'waiting');
    assert.match(decision.note ?? '', /latency is unknown: the query finds no data/);
  });

  it('does not end before each guard has been asked once', () => {
    const decision = decideStage(view({ isAsking: true, onInsufficient: 'abort' }));
    assert.ok(decision.kind === 'stay' && decision.state === 'running');
  });

  it('ends by time alone where nothing is compared', () => {
    assert.equal(decideStage(view({ verdict: undefined })).kind, 'end');
  });

  it('holds while it is paused or its weight is held, and waits for a word', () => {
    const paused = decideStage(view({ steering: { confirmed: [], paused: { ...said, reason: 'lunch' } } }));
    assert.ok(paused.kind === 'stay' && paused.state === 'paused');
    assert.match(paused.note ?? '', /paused by ann \(lunch\)/);
    const held = decideStage(view({ steering: { confirmed: [], weight: { ...said, points: 2_500 } } }));
    assert.match(held.kind === 'stay' ? (held.note ?? '') : '', /ann holds the weight at 25 %/);
    const waiting = decideStage(view({ until: { confirmed: true } }));
    assert.ok(waiting.kind === 'stay' && waiting.awaits === true && !waiting.lacksEvidence);
    const quiet = decideStage(view({ until: { confirmed: true }, verdict: NOTHING, onInsufficient: 'abort' }));
    assert.ok(quiet.kind === 'stay' && quiet.awaits === true, 'a person decides, not the policy');
    assert.match(quiet.note ?? '', /so far the new release has answered no request yet/);
    assert.equal(decideStage(view({ until: { confirmed: true }, steering: { confirmed: [7] } })).kind, 'end');
  });

  it('always decides within the longest wait, unless a person holds it', () => {
    const word = fc.constantFrom(PASS, FAIL, LITTLE, NOTHING, undefined);
    const policy = fc.constantFrom('wait', 'promote', 'abort');
    fc.assert(
      fc.property(word, policy, fc.nat(200), fc.nat(100), (seen, onInsufficient, requests, more) => {
        const decision = decideStage(
          view({
            verdict: seen,
            onInsufficient,
            requests,
            until: { forMs: 10, requests: 100 },
            elapsedMs: 10 + more,
            waitedMs: 60_000,
          }),
        );
        assert.notEqual(decision.kind, 'stay');
        const isPassed = seen === undefined || seen.verdict === 'pass';
        if (decision.kind === 'end' && onInsufficient !== 'promote') assert.ok(isPassed && requests >= 100);
      }),
    );
  });
});
