import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canaryStatus } from '../../../test/support/rollout-status.ts';
import { lineChooser, statusLine } from './status-line.ts';
import type { Status } from './status.ts';

const wired = (over: Parameters<typeof canaryStatus>[0] = {}): Status =>
  JSON.parse(JSON.stringify(canaryStatus(over))) as Status;
const at = (seconds: number): Date => new Date(Date.UTC(2026, 4, 1, 12, 0, seconds));

describe('a rollout in lines', () => {
  it('tells both sides, the verdict and the step at hand in one line', () => {
    assert.match(
      statusLine(wired(), at(0)),
      /^\d\d:00:00 shop canary 3 → 4: running · stage 2\/3 at 25 % · old 120\/s 0\.12 % errors p95 48 ms · new 40\.2\/s 0\.10 % errors p95 50 ms · insufficient: about 1,200 more requests, 30 s at this rate · compare both releases at 25 % \(stage 2 of 3\)$/,
    );
  });

  it('prints at each change and each ten seconds', () => {
    const choose = lineChooser();
    const waiting = (left: string) => wired({ state: 'waiting', note: `waits ${left} more` });
    const printed = [
      choose(wired(), at(0)),
      choose(wired(), at(1)),
      choose(wired({ state: 'paused' }), at(2)),
      choose(waiting('1,200'), at(3)),
      choose(waiting('900'), at(4)),
      choose(waiting('0'), at(13)),
    ].map((line) => line !== undefined);
    assert.deepEqual(printed, [true, false, true, true, false, true]);
  });
});
