import type { SlowScenario } from './slow.ts';
import type { Curve, Scenario, Users } from './traffic.ts';

/** Something to simulate many times. */
export type Experiment =
  | {
      readonly kind: 'errors';
      readonly name: string;
      readonly scenario: Scenario;
      readonly judges: readonly string[];
      readonly runs: number;
    }
  | {
      readonly kind: 'slow';
      readonly name: string;
      readonly scenario: SlowScenario;
      readonly until: 'fail' | 'pass';
      readonly runs: number;
    };

export const SHARES: readonly number[] = [0.05, 0.1, 0.5];
export const BASES: readonly { readonly name: string; readonly curve: Curve }[] = [
  { name: '0.1 %', curve: constant(0.001) },
  { name: '1 %', curve: constant(0.01) },
  { name: '5 %', curve: constant(0.05) },
  { name: 'drifting 0.05 … 6 %', curve: { kind: 'drifting', low: 0.0005, high: 0.02 } },
];
export const BAD_RATES: readonly number[] = [0.002, 0.003, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];
/** Error rate of stable where bad candidates are looked for. */
export const GOOD_RATE = 0.001;
const PEERS: readonly string[] = [
  'bascule',
  'eager',
  'turner',
  'peeking',
  'flagger',
  'argo',
  'argoStrict',
  'kayenta',
  'kayentaOften',
];
export const PASS_BASES: readonly number[] = [0.0001, 0.001, 0.01, 0.05];
/** That of the defaults. */
export const MARGIN = 0.01;
export const LATE_RATES: readonly number[] = [0.01, 0.02, 0.05, 0.2];
export const FACTORS: readonly number[] = [1, 1.1, 1.2, 1.5, 2, 3];
export const DESIGNS: readonly string[] = ['design1', 'design2', 'design5', 'design10', 'once', 'peeking'];
export const CROWDS: readonly { readonly name: string; readonly users: Users }[] = [
  { name: 'sessions of 5 requests, mild', users: { kind: 'session', requestsEach: 5, unlucky: 0.0005 } },
  { name: 'sessions of 5 requests', users: { kind: 'session', requestsEach: 5, unlucky: 0.002 } },
  { name: 'sessions of 20 requests', users: { kind: 'session', requestsEach: 20, unlucky: 0.002 } },
  { name: 'regulars with 20 requests', users: { kind: 'regular', requestsEach: 20, unlucky: 0.002 } },
];

/** An hour at 20 requests a second. */
export const HOUR = 72_000;

/** `scale`: 1 as published; less for a quick try. */
export function experimentsOf(scale: number): readonly Experiment[] {
  const all = [...sameRates(), ...badCandidates(), ...margins(), ...lateOnes(), ...crowds(), ...durations()];
  return all.map((experiment) => ({ ...experiment, runs: Math.max(20, Math.round(experiment.runs * scale)) }));
}

export function constant(rate: number): Curve {
  return { kind: 'constant', rate };
}

function sameRates(): readonly Experiment[] {
  return BASES.flatMap(({ name, curve }) =>
    SHARES.map((share) => ({
      kind: 'errors' as const,
      name: `same ${name} ${share}`,
      scenario: { stable: curve, candidate: curve, share, requests: share === 0.1 ? HOUR : HOUR / 2 },
      judges: share === 0.1 ? PEERS : ['bascule', 'eager'],
      runs: 5_000,
    })),
  );
}

function badCandidates(): readonly Experiment[] {
  return BAD_RATES.flatMap((rate) =>
    SHARES.map((share) => ({
      kind: 'errors' as const,
      name: `bad ${rate} ${share}`,
      scenario: { stable: constant(GOOD_RATE), candidate: constant(rate), share, requests: HOUR },
      judges: share === 0.1 ? PEERS : ['bascule', 'eager'],
      runs: 500,
    })),
  );
}

/** Candidates that are as good as stable, and candidates worse by exactly the margin. */
function margins(): readonly Experiment[] {
  const one = (name: string, o: { base: number; rate: number; share: number; requests: number; runs: number }) => ({
    kind: 'errors' as const,
    name: `${name} ${o.base} ${o.share}`,
    scenario: { stable: constant(o.base), candidate: constant(o.rate), share: o.share, requests: o.requests },
    judges: ['pass', 'eagerPass'],
    runs: o.runs,
  });
  return SHARES.flatMap((share) => [
    ...PASS_BASES.map((base) => one('pass', { base, rate: base, share, requests: 400_000, runs: 300 })),
    ...PASS_BASES.map((base) => one('margin', { base, rate: base + MARGIN, share, requests: HOUR / 2, runs: 1_500 })),
  ]);
}

function lateOnes(): readonly Experiment[] {
  return LATE_RATES.map((after) => ({
    kind: 'errors' as const,
    name: `late ${after}`,
    scenario: {
      stable: constant(GOOD_RATE),
      candidate: { kind: 'late', before: GOOD_RATE, after, from: 0.5 },
      share: 0.1,
      requests: 3 * HOUR,
    },
    judges: ['bascule', 'eager', 'turner'],
    runs: 300,
  }));
}

function crowds(): readonly Experiment[] {
  return CROWDS.map(({ name, users }) => ({
    kind: 'errors' as const,
    name: `crowd ${name}`,
    scenario: { stable: constant(GOOD_RATE), candidate: constant(GOOD_RATE), share: 0.1, requests: HOUR, users },
    judges: DESIGNS,
    runs: 500,
  }));
}

function durations(): readonly Experiment[] {
  return FACTORS.flatMap((factor) =>
    (['fail', 'pass'] as const).map((until) => ({
      kind: 'slow' as const,
      name: `slow ${factor} ${until}`,
      scenario: { factor, share: 0.1, requests: 36_000 },
      until,
      runs: factor === 1 && until === 'fail' ? 1_000 : 300,
    })),
  );
}
