import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addDurations, NO_DURATIONS } from '../judge/analysis/index.ts';
import type { LedgerTraffic } from '../ledger-view.ts';
import { doubtsOf, sidesOf, type Sources, totalsOf } from './ledger-evidence.ts';
import { isDrainDeadline } from '../execute/drain-deadline.ts';
import type { StepRecord } from '../execute/journal.ts';
import { newReport, ProbeBook } from './probes/report.ts';
import { NO_LOSSES, NO_REQUESTS } from '../judge/samples-tally.ts';
import type { LaneSamples } from '../judge/samples.ts';
import type { Testimony } from './witness-store.ts';

const lane = (more: Partial<LaneSamples> = {}): LaneSamples => ({
  lane: 'lane-001',
  service: 'web',
  release: 1,
  side: 'stable',
  ...NO_REQUESTS,
  requests: 100,
  ...more,
});
const counted = (lost: number, requests = 100): LedgerTraffic => ({
  ...{ lane: 'lane-001', service: 'web', release: 1, requests, lost },
  ...{ connectionErrors: lost, proxyErrors: 0, retries: 0 },
});
const testimony = (more: Partial<Testimony> = {}): Testimony => ({
  ...{ stepMs: 1_000, probes: [], probed: { requests: 0, lost: 0 }, missed: 0, gaps: [], lastMs: 0 },
  ...more,
});
const sources = (more: Partial<Sources> = {}): Sources => ({
  lanes: [lane()],
  traffic: [counted(0)],
  testimony: testimony(),
  ...more,
});
const refused = (times: number) => {
  const book = new ProbeBook(newReport({ kind: 'get', service: 'web', url: 'http://localhost/' }), () => 0);
  for (let time = 0; time < times; time++) book.failed('refused', 'ECONNREFUSED');
  book.failed('app-error', 'status 500');
  return book.report;
};

describe('what the ledger says of requests', () => {
  it('is told side by side, with all quantiles', () => {
    const responses = addDurations(
      NO_DURATIONS,
      Array.from({ length: 100 }, (_, index) => index + 1),
    );
    const [stable, candidate] = sidesOf([
      lane({ side: 'candidate', release: 2, losses: { ...NO_LOSSES, reset: 2 }, appErrors: 3 }),
      lane({ responses }),
      lane({ lane: 'lane-002', service: 'api', responses }),
    ]);
    assert.deepEqual([stable?.side, stable?.requests, stable?.services.length], ['stable', 200, 2]);
    const { p50, p90, p99, max } = stable!.latencyMs!;
    for (const [is, should] of [
      [p50, 50],
      [p90, 90],
      [p99, 99],
      [max, 100],
    ] as const)
      assert.ok(Math.abs(is - should) / should < 0.02, `${is} is not ${should}`);
    assert.deepEqual([candidate?.lost, candidate?.appErrors, candidate?.latencyMs], [2, 3, undefined]);
  });

  it('has no doubts where all agree', () => {
    assert.deepEqual(doubtsOf(sources()), []);
    assert.deepEqual(totalsOf(sources()), { requests: 100, lost: 0, appErrors: 0 });
  });

  it('tells the higher number of losses, and that it is not the only one', () => {
    const two = sources({ traffic: [counted(2)] });
    assert.equal(totalsOf(two).lost, 2);
    assert.match(doubtsOf(two)[0] ?? '', /say 0 lost, the proxy's counters say 2/);
    const probed = sources({ testimony: testimony({ probes: [refused(4)] }) });
    assert.equal(totalsOf(probed).lost, 4, 'a 5xx of the application is not lost');
    assert.match(doubtsOf(probed)[0] ?? '', /never reached it/);
    assert.equal(totalsOf({ ...probed, traffic: [counted(2)] }).lost, 6, 'clients and probes are not the same');
  });

  it('believes the probes about their own requests', () => {
    const early = sources({ traffic: [counted(2)], testimony: testimony({ probed: { requests: 9, lost: 2 } }) });
    assert.deepEqual([totalsOf(early).lost, doubtsOf(early)], [0, []]);
  });

  it('says what nobody saw', () => {
    const doubts = doubtsOf(sources({ testimony: testimony({ missed: 7, gaps: [{ fromMs: 0, toMs: 2_000 }] }) }));
    assert.match(doubts[0] ?? '', /^7 reports/);
    assert.match(doubts[1] ?? '', /00:00:00 to 00:00:02 the daemon was away/);
  });
});

describe('the drain deadline', () => {
  const step = { kind: 'drain-instance', instance: 'web-1', deadlineMs: 5_000, port: 80, cause: '' } as const;
  const record: StepRecord = { seq: 0, wave: 0, undoing: false, step, startedMs: 10_000, outcome: 'running' };

  it('is when a drain has had all of its time, and not before', () => {
    assert.deepEqual(
      [12_000, 14_900, 15_500, 30_000].map((now) => isDrainDeadline([record], now)),
      [false, true, true, false],
    );
  });
});
