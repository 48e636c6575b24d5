import type { Ledger, LedgerPoint, Streamed } from '../../src/server/client/index.ts';

const START = Date.parse('2026-03-01T12:00:00Z');
const at = (seconds: number): string => new Date(START + seconds * 1_000).toISOString();

type Sample = Streamed<Ledger>;

/** A canary that found its candidate worse, and was taken back. */
export function sampleLedger(o: { readonly seconds?: number; readonly lost?: number } = {}): Sample {
  const { seconds = 120, lost = 3 } = o;
  const losses = { refused: 0, reset: lost > 0 ? 1 : 0, truncated: Math.max(0, lost - 1), 'proxy-error': 0 };
  const none = { refused: 0, reset: 0, truncated: 0, 'proxy-error': 0 };
  const latencyMs = { p50: 3.1, p90: 6.2, p95: 8.04, p99: 22.5, max: 210 };
  const stable = { requests: 23_456, left: 2, drained: 1, lost: 0, losses: none, appErrors: 12, latencyMs };
  const candidate = {
    requests: 2_345,
    left: 0,
    drained: 0,
    lost,
    losses,
    appErrors: 71,
    latencyMs: { ...latencyMs, p50: 3.4, p95: 12.4 },
  };
  return {
    project: 'shop',
    rollout: 12,
    kind: 'deploy',
    author: 'maria <b>',
    from: 3,
    to: 4,
    startedAt: at(0),
    endedAt: at(seconds - 20),
    result: 'undone',
    failure: {
      cancelled: false,
      code: 'rollout-worse',
      reason: 'errors: the candidate fails 3.0 % of its requests, the stable side 0.05 %',
      fix: 'Correct the new release and deploy again.',
      instance: 'shop-web-r4-1',
      logs: ['listening on 8000', 'TypeError: <undefined> & more\u001b[31m'],
      healthOutput: '',
    },
    strategy: 'canary',
    revision: '4f2c9d1',
    steps: sampleSteps(seconds),
    switchMs: 1.2,
    controls: [
      { at: at(20), author: 'maria', action: 'pause' },
      { at: at(32), author: 'jo', action: 'weight', weight: 2_500, reason: 'to look at it' },
      { at: at(40), author: 'maria', action: 'resume' },
    ],
    traffic: [
      {
        lane: 'lane-001',
        service: 'web',
        release: 3,
        requests: 23_700,
        lost: 0,
        connectionErrors: 0,
        proxyErrors: 0,
        retries: 0,
      },
      {
        lane: 'lane-002',
        service: 'web',
        release: 4,
        requests: 2_400,
        lost,
        connectionErrors: 0,
        proxyErrors: 0,
        retries: 2,
      },
    ],
    sides: [
      { side: 'stable', ...stable, services: [{ service: 'web', release: 3, ...stable }] },
      {
        side: 'candidate',
        ...candidate,
        services: [
          { service: 'web', release: 4, ...candidate },
          { service: 'api', release: 4, ...candidate, requests: 0 },
        ],
      },
    ],
    probes: sampleProbes(),
    verdict: {
      verdict: 'fail',
      metrics: [
        metric('errors', 'fail', {
          worse: 2.4,
          notWorse: -1.2,
          reason: 'The candidate fails more often: 3.0 % against 0.05 %.',
        }),
        metric('slow', 'insufficient', { worse: 0.4, notWorse: 0.7, reason: 'About 1,800 more requests are needed.' }),
      ],
    },
    guards: [{ name: 'instances', state: 'ok', detail: 'none has crashed' }],
    totals: { requests: 26_100, lost, appErrors: 83 },
    doubts: [
      'From 12:00:10 to 12:00:12 the daemon was away: the proxy went on serving and counting, but the requests of that time were not seen one by one.',
    ],
    series: { stepMs: 1_000, points: Array.from({ length: seconds }, (_, second) => point(second, seconds)) },
  };
}

function metric(
  name: 'errors' | 'slow',
  verdict: 'fail' | 'insufficient',
  o: { readonly worse: number; readonly notWorse: number; readonly reason: string },
): NonNullable<Sample['verdict']>['metrics'][number] {
  return {
    metric: name,
    verdict,
    stable: { requests: 23_456, hits: 12, rate: 12 / 23_456 },
    candidate: { requests: 2_345, hits: 71, rate: 71 / 2_345 },
    thresholds: { worse: 2.3, notWorse: 1.3 },
    ...o,
  };
}

function sampleSteps(seconds: number): Sample['steps'] {
  const step = (
    index: number,
    title: string,
    from: number,
    to: number,
    more: Partial<Sample['steps'][number]> = {},
  ): Sample['steps'][number] => ({
    index,
    kind: 'set-weights',
    title,
    cause: 'image of web changed',
    undoing: false,
    startedAt: at(from),
    endedAt: at(to),
    durationMs: (to - from) * 1_000,
    outcome: 'done',
    ...more,
  });
  return [
    step(0, 'create shop-web-r4-1', 0, 0.4),
    step(1, 'start shop-web-r4-1', 0.4, 1.1),
    step(2, 'wait until shop-web-r4-1 is healthy', 1.1, 9),
    step(3, '5 % of shop/web/8000 to lane-002', 9, 9.01),
    step(4, 'compare both sides for 30 s', 9, 50),
    step(5, '25 % of shop/web/8000 to lane-002', 50, 50.01),
    step(6, 'compare both sides for 60 s', 50, seconds - 25, {
      outcome: 'failed',
      reason: 'the candidate fails more often',
    }),
    {
      index: 7,
      kind: 'switch-routes',
      title: 'switch shop/web/8000 to lane-002',
      cause: 'release 4 takes over',
      undoing: false,
      outcome: 'skipped',
    },
    step(8, '0 % of shop/web/8000 to lane-002', seconds - 25, seconds - 24.9, { undoing: true }),
    step(9, 'stop shop-web-r4-1', seconds - 24, seconds - 21, { undoing: true }),
  ];
}

function sampleProbes(): Sample['probes'] {
  const failed = { refused: 0, reset: 0, truncated: 0, timeout: 0, 'proxy-error': 0, 'app-error': 0 };
  const none = {
    failed,
    statuses: {},
    messages: 0,
    ended: { byApplication: 0, atDrainDeadline: 0 },
    examples: [],
    lost: 0,
  };
  return [
    {
      ...none,
      kind: 'get',
      service: 'web',
      url: 'http://localhost:8080/',
      sent: 410,
      answered: 410,
      longestGapMs: 262,
      statuses: { 200: 410 },
    },
    {
      ...none,
      kind: 'post',
      service: 'web',
      url: 'http://localhost:8080/take',
      sent: 30,
      answered: 29,
      longestGapMs: 3_300,
      lost: 1,
      failed: { ...failed, reset: 1 },
      examples: [{ atMs: START + 61_250, kind: 'reset', detail: 'ECONNRESET' }],
    },
    {
      ...none,
      kind: 'websocket',
      service: 'web',
      url: 'ws://localhost:8080/socket',
      sent: 200,
      answered: 200,
      longestGapMs: 510,
      ended: { byApplication: 0, atDrainDeadline: 1 },
    },
  ];
}

function point(second: number, seconds: number): Streamed<LedgerPoint> {
  const wave = Math.sin(second / 7) * 20 + ((second * 7_919) % 13);
  const weight = second < 9 || second > seconds - 25 ? 0 : second < 50 ? 500 : 2_500;
  const all = Math.max(0, Math.round(220 + wave * 2));
  const own = Math.round((all * weight) / 10_000) + (weight > 0 ? second % 3 : 0);
  const bad = second > 40 ? Math.round(own * 0.03) : 0;
  const isCompared = second >= 9 && second <= seconds - 25;
  const grown = Math.max(0, second - 40) / (seconds - 65);
  return {
    atMs: START + second * 1_000,
    stable: {
      requests: all - own,
      lost: 0,
      appErrors: second % 17 === 0 ? 1 : 0,
      p50Ms: 3 + wave / 60,
      p95Ms: 8 + wave / 10,
      p99Ms: 20,
    },
    ...(own === 0
      ? {}
      : {
          candidate: {
            requests: own,
            lost: second === 70 ? 3 : 0,
            appErrors: bad,
            p50Ms: 3.3 + wave / 50,
            p95Ms: 11 + wave / 8,
            p99Ms: 30,
          },
        }),
    ...(isCompared
      ? {
          weight,
          evidence: [
            { metric: 'errors', worse: Math.min(2.4, grown * 2.4), notWorse: -grown },
            { metric: 'slow', worse: 0.1 + grown * 0.3, notWorse: Math.min(0.7, second / 100) },
          ],
        }
      : {}),
  };
}
