import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { canaryStatus } from '../../../test/support/rollout-status.ts';
import { UserError } from '../../lib/errors.ts';
import type { RolloutOutcome, Streamed } from '../../server/client/index.ts';
import { renderError } from './errors.ts';
import { renderOutcome } from './outcome.ts';
import { styleFor } from './style.ts';

const style = styleFor(false);
const now = new Date('2026-05-01T12:00:00Z');
const wired = <T>(value: T): Streamed<T> => JSON.parse(JSON.stringify(value)) as Streamed<T>;
const OUTCOME: Streamed<RolloutOutcome> = {
  project: 'shop',
  rollout: 7,
  kind: 'deploy',
  result: 'switched',
  release: 4,
  previous: 3,
  durationMs: 61_000,
  switchMs: 1.24,
  warmUntil: '2026-05-01T12:10:00Z',
  ports: [{ service: 'web', published: 80, target: 8_080, protocol: 'http' }],
  strategy: 'canary',
  totals: { requests: 16_465, lost: 0 },
  verdict: { verdict: 'pass', metrics: wired(canaryStatus()).verdict?.metrics ?? [] },
};

describe('the closing lines of a rollout', () => {
  it('tell the release, the strategy, the switch, requests, verdict, address, and how to go back', () => {
    const lines = renderOutcome(OUTCOME, style, now).split('\n');
    assert.equal(lines[0], '● shop serves release 4 (canary, 1 min 1 s, switch 1.2 ms)');
    assert.equal(lines[1], '  verdict of the comparison: pass');
    assert.equal(lines[2], '  16,465 requests meanwhile, 0 lost');
    assert.equal(lines[3], '  web: http://localhost:80');
    assert.match(lines[4] ?? '', /^ {2}release 3 stays warm until [\d:]+: `bascule rollback` tips back at once$/);
  });

  it('do not promise a release that is not warm', () => {
    const text = renderOutcome(OUTCOME, style, new Date('2026-05-01T12:10:00Z'));
    assert.match(text, /release 3 is kept: `bascule rollback` starts it again/);
  });

  it('never tell a loss in passing', () => {
    const totals = { requests: 16_465, lost: 3 };
    assert.match(renderOutcome({ ...OUTCOME, totals }, style), /3 LOST: `bascule ledger 7` says where/);
    assert.ok(renderOutcome({ ...OUTCOME, totals }, styleFor(true)).includes('\u001b[31m3 LOST'));
    const error = new UserError({
      code: 'x',
      kind: 'failed',
      message: 'm',
      fix: 'f',
      details: { outcome: { rollout: 7, totals } },
    });
    assert.match(renderError(error, style), /3 of 16465 requests were LOST meanwhile/);
  });

  it('say nothing of requests where nothing was rolled out', () => {
    const { totals: _, verdict: __, ...rest } = OUTCOME;
    assert.doesNotMatch(renderOutcome({ ...rest, result: 'unchanged' }, style), /requests|verdict/);
  });
});
