import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { planRestart, startsAtBoot, type Ended } from './restart-plan.ts';

const ended = (more: Partial<Ended>): Ended => ({
  policy: { name: 'always', maximumRetryCount: 0 },
  exitCode: 0,
  stoppedByUser: false,
  restartCount: 0,
  ranMs: 50,
  lastDelayMs: 0,
  ...more,
});

describe('restart policy', () => {
  it('waits 100 ms first, twice as long each time, a minute at most', () => {
    const delays: number[] = [];
    for (let last = 0; delays.length < 12; last = delays.at(-1)!)
      delays.push(planRestart(ended({ lastDelayMs: last }))!);
    assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 51200, 60000, 60000]);
  });

  it('begins anew when the container ran ten seconds', () => {
    assert.equal(planRestart(ended({ lastDelayMs: 51_200, ranMs: 10_000 })), 100);
  });

  it('knows the four policies', () => {
    const failing = (maximumRetryCount: number, restartCount: number): number | undefined =>
      planRestart(ended({ policy: { name: 'on-failure', maximumRetryCount }, exitCode: 1, restartCount }));
    assert.equal(failing(0, 1_000), 100);
    assert.equal(failing(2, 1), 100);
    assert.equal(failing(2, 2), undefined);
    assert.equal(planRestart(ended({ policy: { name: 'on-failure', maximumRetryCount: 0 } })), undefined);
    assert.equal(planRestart(ended({ policy: { name: 'no', maximumRetryCount: 0 }, exitCode: 1 })), undefined);
    assert.equal(planRestart(ended({ policy: { name: 'unless-stopped', maximumRetryCount: 0 } })), 100);
  });

  it('never restarts what a user stopped, and never waits more than a minute', () => {
    const policy = fc.record({
      name: fc.constantFrom('no' as const, 'always' as const, 'unless-stopped' as const, 'on-failure' as const),
      maximumRetryCount: fc.nat(5),
    });
    const any = fc.record({
      policy,
      exitCode: fc.nat(255),
      stoppedByUser: fc.boolean(),
      restartCount: fc.nat(10),
      ranMs: fc.nat(20_000),
      lastDelayMs: fc.nat(60_000),
    });
    fc.assert(
      fc.property(any, (state) => {
        const delay = planRestart(state);
        if (state.stoppedByUser) assert.equal(delay, undefined);
        assert.ok(delay === undefined || (delay >= 1 && delay <= 60_000));
      }),
    );
  });

  it('starts after a reboot what ran, and with always what was stopped', () => {
    const boot = (
      name: 'always' | 'unless-stopped' | 'on-failure' | 'no',
      wasRunning: boolean,
      stoppedByUser: boolean,
    ) => startsAtBoot({ policy: { name, maximumRetryCount: 0 }, wasRunning, stoppedByUser, exitCode: 255 });
    assert.equal(boot('always', false, true), true);
    assert.equal(boot('unless-stopped', false, true), false);
    assert.equal(boot('unless-stopped', true, false), true);
    assert.equal(boot('on-failure', true, false), true);
    assert.equal(boot('no', true, false), false);
  });
});
