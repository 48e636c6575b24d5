import type { GuardView, LedgerStep, RolloutStatus } from '../../src/delivery/rollout/index.ts';

const STARTED = new Date('2026-05-01T12:00:00Z');

/** A canary in the middle of its second stage; `over` changes it. */
export function canaryStatus(over: Partial<RolloutStatus> = {}): RolloutStatus {
  return {
    project: 'shop',
    rollout: 7,
    kind: 'deploy',
    strategy: 'canary',
    author: 'ana',
    from: 3,
    to: 4,
    startedAt: STARTED,
    state: 'running',
    steps: [
      step(0, 'done', { title: 'create shop-web-r4-1', cause: 'image changed' }),
      step(1, 'done', { title: 'start shop-web-r4-1', cause: 'image changed' }),
      step(2, 'done', { title: 'wait until shop-web-r4-1 is healthy', cause: 'before it gets traffic' }),
      step(3, 'done', { title: 'give 5 % to the new release', cause: 'stage 1 of 3' }),
      step(4, 'done', { title: 'compare both releases at 5 % (stage 1 of 3)', cause: 'canary' }),
      step(5, 'done', { title: 'give 25 % to the new release', cause: 'stage 2 of 3' }),
      step(6, 'running', { title: 'compare both releases at 25 % (stage 2 of 3)', cause: 'canary' }),
      step(7, 'pending', { title: 'give 50 % to the new release', cause: 'stage 3 of 3' }),
      step(8, 'pending', { title: 'compare both releases at 50 % (stage 3 of 3)', cause: 'canary' }),
      step(9, 'pending', { title: 'switch shop/web/80', cause: 'all at once' }),
      step(10, 'pending', { title: 'release 4 is current, warm: 3', cause: 'all at once' }),
    ],
    stage: { stage: 2, stages: 3, weight: 2_500, until: { forMs: 120_000, requests: 500 }, elapsedMs: 48_000 },
    routes: [{ route: 'shop/web/80', service: 'web', weight: 2_500 }],
    sides: {
      stable: {
        release: 3,
        requests: 12_345,
        perSecond: 120.4,
        failed: 15,
        slow: 600,
        p50Ms: 12,
        p95Ms: 48,
        p99Ms: 120,
      },
      candidate: {
        release: 4,
        requests: 4_120,
        perSecond: 40.2,
        failed: 4,
        slow: 208,
        p50Ms: 13,
        p95Ms: 50,
        p99Ms: 133,
      },
    },
    verdict: {
      verdict: 'insufficient',
      metrics: [
        {
          metric: 'errors',
          verdict: 'pass',
          stable: { requests: 12_345, hits: 15, rate: 0.001_2 },
          candidate: { requests: 4_120, hits: 4, rate: 0.000_97 },
          worse: 0.2,
          notWorse: 1.5,
          thresholds: { worse: 2.301, notWorse: 1.301 },
          reason: 'errors: 0.10 % against 0.12 %, not more than 0.5 points worse',
        },
        {
          metric: 'slow',
          verdict: 'insufficient',
          stable: { requests: 12_345, hits: 600, rate: 0.048_6 },
          candidate: { requests: 4_120, hits: 208, rate: 0.050_5 },
          worse: 0.4,
          notWorse: 0.7,
          thresholds: { worse: 2.301, notWorse: 1.301 },
          stillNeeded: 1_200,
          reason: 'slow requests: 5.1 % against 4.9 %; about 1,200 more requests decide',
        },
      ],
    },
    guards: [
      { name: 'crashes', state: 'ok', detail: 'no crash', value: 0 },
      { name: 'health', state: 'ok', detail: 'all healthy' },
      { name: 'queue', state: 'unknown', detail: 'Prometheus has not answered yet' } satisfies GuardView,
    ],
    ...over,
  };
}

function step(
  index: number,
  outcome: LedgerStep['outcome'],
  { title, cause }: { readonly title: string; readonly cause: string },
): LedgerStep {
  const times = outcome === 'done' ? { startedAt: STARTED, durationMs: 340 } : {};
  return { index, kind: 'step', title, cause, undoing: false, outcome, ...times };
}
