import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decideJob } from './decide-job.ts';
import type { JobEnd, JobRun } from './job-runs.ts';

const end = (outcome: JobEnd['outcome']): JobEnd => ({ outcome, endedMs: 0, lines: [] });

describe('a job', () => {
  it('is adopted while nobody knows its end, and never begun again when it has succeeded', () => {
    assert.deepEqual(decideJob([], { retries: 0 }), { act: 'run', attempt: 1, isNew: true, pauseMs: 0 });
    const begun: JobRun = { attempt: 1, startedMs: 0 };
    assert.deepEqual(decideJob([begun], { retries: 3 }), { act: 'run', attempt: 1, isNew: false, pauseMs: 0 });
    assert.deepEqual(decideJob([{ ...begun, ended: end('succeeded') }], { retries: 3 }), { act: 'nothing' });
  });

  it('runs at most once more often than it may be tried again, each time after a longer pause', () => {
    fc.assert(
      fc.property(
        fc.nat(12),
        fc.array(fc.constantFrom('failed', 'timeout', 'succeeded'), { minLength: 20 }),
        (retries, ends) => {
          const runs: JobRun[] = [];
          let before = 0;
          for (
            let decision = decideJob(runs, { retries });
            decision.act === 'run';
            decision = decideJob(runs, { retries })
          ) {
            assert.ok(decision.pauseMs >= before && decision.pauseMs <= 60_000);
            before = decision.pauseMs;
            runs.push({ attempt: decision.attempt, startedMs: 0, ended: end(ends[runs.length] as JobEnd['outcome']) });
          }
          assert.ok(runs.length <= retries + 1);
          const isDone = runs.at(-1)?.ended?.outcome === 'succeeded';
          assert.equal(decideJob(runs, { retries }).act, isDone ? 'nothing' : 'fail');
          assert.ok(isDone || runs.length === retries + 1);
        },
      ),
    );
  });
});
