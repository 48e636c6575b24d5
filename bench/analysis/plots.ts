import { BAD_RATES, BASES, constant, CROWDS, DESIGNS, GOOD_RATE, HOUR, PASS_BASES, SHARES } from './experiments.ts';
import { findingOf, type Findings, wilson } from './findings.ts';
import { evidenceOf } from './judges.ts';
import { JUDGE_NAMES } from './names.ts';
import { randomOf } from './random.ts';
import { type Axis, type Chart, type Colour, type Mark, type Point, renderChart, type Tick } from '../svg.ts';
import { percent } from './tables.ts';
import { looksOf } from './traffic.ts';

/** Pictures of docs/analysis.md by file name. */
export function plotsOf(findings: Findings): Readonly<Record<string, string>> {
  return {
    'evidence.svg': renderChart(evidence()),
    'false-alarms.svg': renderChart(falseAlarms(findings)),
    'false-alarms-peers.svg': renderChart(peers(findings)),
    'detection-delay.svg': renderChart(delays(findings)),
    'detected.svg': renderChart(detected(findings)),
    'until-pass.svg': renderChart(untilPass(findings)),
    'users.svg': renderChart(crowds(findings)),
  };
}

const COLOUR_OF: Readonly<Record<string, Colour>> = {
  bascule: 'blue',
  eager: 'sky',
  turner: 'green',
  peeking: 'pink',
  flagger: 'orange',
  argo: 'yellow',
  argoStrict: 'red',
  kayenta: 'grey',
  kayentaOften: 'black',
};
const DASHED = new Set(['argoStrict', 'kayentaOften']);

const ERROR_RATE: Axis = {
  label: 'true error rate of the candidate (stable: 0.1 %)',
  scale: 'log',
  min: 0.0018,
  max: 0.22,
  ticks: BAD_RATES.map((at) => ({ at, label: percent(at) })),
};

function requestsAxis(label: string, min: number, max: number): Axis {
  const ticks = [1, 10, 100, 1_000, 10_000, 100_000].filter((at) => at >= min && at <= max);
  return { label, scale: 'log', min, max, ticks: ticks.map(tickOf) };
}

function tickOf(at: number): Tick {
  return { at, label: at.toLocaleString('en-US') };
}

function percentAxis(label: string, ticks: readonly number[]): Axis {
  const max = ticks.at(-1) ?? 1;
  return { label, scale: 'linear', min: 0, max, ticks: ticks.map((at) => ({ at, label: percent(at) })) };
}

/** How evidence grows in single rollouts. */
function evidence(): Chart {
  const rates: readonly (readonly [rate: number, colour: Colour])[] = [
    [GOOD_RATE, 'grey'],
    [0.01, 'yellow'],
    [0.05, 'orange'],
    [0.2, 'pink'],
  ];
  return {
    title: 'Evidence that the candidate is worse, 15 rollouts each, 10 % of the traffic',
    x: requestsAxis('requests to the candidate', 5, 7_200),
    y: {
      label: 'e-value',
      scale: 'linear',
      min: -1.5,
      max: 4,
      ticks: [-1, 0, 1, 2, 3, 4].map((at) => ({ at, label: oddsOf(at) })),
    },
    marks: [
      ...rates.flatMap(([rate, colour]) =>
        Array.from({ length: 15 }, (_, run): Mark => {
          const name = rate === GOOD_RATE ? 'as good as stable (0.1 %)' : `fails ${percent(rate)}`;
          return { kind: 'line', look: 'thin', colour, points: trajectory(rate, run), ...(run === 0 ? { name } : {}) };
        }),
      ),
      { kind: 'level', at: Math.log10(200), label: 'fail: 2 metrics / α = 200 to 1' },
    ],
  };
}

function oddsOf(log10: number): string {
  return log10 < 0 ? `1/${(10 ** -log10).toLocaleString('en-US')}` : (10 ** log10).toLocaleString('en-US');
}

function trajectory(rate: number, run: number): readonly Point[] {
  const points: Point[] = [];
  const scenario = { stable: constant(GOOD_RATE), candidate: constant(rate), share: 0.1, requests: HOUR };
  const evidence = evidenceOf();
  let toCandidate = 0;
  for (const look of looksOf(scenario, randomOf(77, run))) {
    toCandidate += look.candidate.requests;
    const value = evidence(look);
    if (toCandidate > 0) points.push([toCandidate, value]);
    if (value > 4) break;
  }
  // A picture has some hundred pixels, not thousands of looks.
  return points.filter((_, index) => index < 120 || index % 6 === 0 || index === points.length - 1);
}

function falseAlarms(findings: Findings): Chart {
  const cases = BASES.flatMap(({ name }) => SHARES.map((share) => ({ name, share })));
  const series = (judge: string, shift: number): Mark => ({
    kind: 'interval',
    name: JUDGE_NAMES[judge] ?? judge,
    colour: COLOUR_OF[judge] ?? 'grey',
    points: cases.map(({ name, share }, index) => {
      const finding = findingOf(findings, `same ${name} ${share}`, judge);
      const { low, high } = wilson(finding);
      return [index + shift, finding.decided / finding.runs, low, high];
    }),
  });
  return {
    title: 'False alarms: candidate as good as stable, looked at all the time',
    x: {
      label: 'error rate of both sides, and share of the traffic that the candidate has',
      scale: 'linear',
      min: -0.6,
      max: cases.length - 0.4,
      ticks: cases.map(({ name, share }, at) => ({
        at,
        label: `${name
          .split(' ')
          .slice(0, 2)
          .join(' ')
          .replace(/ 0.05$/, '')}\n${percent(share)}`,
      })),
    },
    y: percentAxis('rollouts called worse, with 95 % intervals', [0, 0.0025, 0.005, 0.0075, 0.01, 0.0125]),
    marks: [series('eager', -0.15), series('bascule', 0.15), { kind: 'level', at: 0.01, label: 'α = 1 %' }],
  };
}

function peers(findings: Findings): Chart {
  const judges = Object.keys(JUDGE_NAMES);
  return {
    title: 'Stopped within an hour although there is no difference (10 % of the traffic)',
    x: {
      label: 'error rate of both sides',
      scale: 'linear',
      min: -0.5,
      max: BASES.length - 0.5,
      ticks: BASES.map(({ name }, at) => ({ at, label: name })),
    },
    y: percentAxis('rollouts stopped', [0, 0.2, 0.4, 0.6, 0.8, 1]),
    marks: judges.map((judge, place) => ({
      kind: 'interval',
      name: JUDGE_NAMES[judge] ?? judge,
      colour: COLOUR_OF[judge] ?? 'grey',
      points: BASES.map(({ name }, base) => {
        const finding = findingOf(findings, `same ${name} 0.1`, judge);
        const { low, high } = wilson(finding);
        return [base + (place - judges.length / 2) * 0.08, finding.decided / finding.runs, low, high];
      }),
    })),
  };
}

function delays(findings: Findings): Chart {
  const quantile = (judge: string, rate: number, q: number) =>
    findingOf(findings, `bad ${rate} 0.1`, judge).quantile(q);
  const edges = BAD_RATES.flatMap((rate) => {
    const [low, high] = [quantile('bascule', rate, 0.1), quantile('bascule', rate, 0.9)];
    return low === undefined ? [] : [[rate, low, high ?? HOUR * 0.1] as const];
  });
  const lines = Object.entries(JUDGE_NAMES).map(([judge, name]): Mark => ({
    kind: 'line',
    name,
    colour: COLOUR_OF[judge] ?? 'grey',
    ...(DASHED.has(judge) ? { look: 'dashed' as const } : {}),
    points: BAD_RATES.flatMap((rate) => {
      const median = quantile(judge, rate, 0.5);
      return median === undefined ? [] : [[rate, median] as const];
    }),
  }));
  return {
    title: 'Requests that a bad candidate gets before it is stopped (10 % of the traffic)',
    x: ERROR_RATE,
    y: requestsAxis('requests to the candidate, median', 3, 10_000),
    marks: [{ kind: 'band', name: '10 to 90 % of the rollouts, defaults', colour: 'blue', edges }, ...lines],
  };
}

function detected(findings: Findings): Chart {
  return {
    title: 'Bad candidates stopped within an hour (7,200 requests to the candidate)',
    x: ERROR_RATE,
    y: percentAxis('rollouts stopped', [0, 0.2, 0.4, 0.6, 0.8, 1]),
    marks: Object.entries(JUDGE_NAMES).map(([judge, name]) => ({
      kind: 'line',
      name,
      colour: COLOUR_OF[judge] ?? 'grey',
      ...(DASHED.has(judge) ? { look: 'dashed' as const } : {}),
      points: BAD_RATES.map((rate) => {
        const finding = findingOf(findings, `bad ${rate} 0.1`, judge);
        return [rate, finding.decided / finding.runs] as const;
      }),
    })),
  };
}

function untilPass(findings: Findings): Chart {
  const colours: readonly Colour[] = ['blue', 'green', 'orange'];
  return {
    title: 'Requests that a good candidate needs to pass (margin: one percentage point)',
    x: {
      label: 'error rate of both sides',
      scale: 'log',
      min: 0.00008,
      max: 0.06,
      ticks: PASS_BASES.map((at) => ({ at, label: percent(at) })),
    },
    y: requestsAxis('requests to the candidate, median', 100, 100_000),
    marks: SHARES.map((share, index) => ({
      kind: 'line',
      name: `${percent(share)} of the traffic`,
      colour: colours[index] ?? 'grey',
      points: PASS_BASES.flatMap((base) => {
        const median = findingOf(findings, `pass ${base} ${share}`, 'pass').quantile(0.5);
        return median === undefined ? [] : [[base, median] as const];
      }),
    })),
  };
}

function crowds(findings: Findings): Chart {
  const colours: readonly Colour[] = ['sky', 'blue', 'green', 'yellow', 'orange', 'pink'];
  const names = ['every failure, effect 1', '2', '5', '10', 'first failures, effect 1', 'z test at every look'];
  return {
    title: 'False alarms when failures cling to a few users who stay on their side',
    x: {
      label: 'traffic',
      scale: 'linear',
      min: -0.5,
      max: CROWDS.length - 0.5,
      ticks: CROWDS.map(({ name }, at) => ({ at, label: name })),
    },
    y: percentAxis('rollouts called worse', [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
    marks: [
      ...DESIGNS.map((judge, place): Mark => ({
        kind: 'interval',
        name: names[place] ?? judge,
        colour: colours[place] ?? 'grey',
        points: CROWDS.map(({ name }, index) => {
          const finding = findingOf(findings, `crowd ${name}`, judge);
          const { low, high } = wilson(finding);
          return [index + (place - 2.5) * 0.1, finding.decided / finding.runs, low, high] as const;
        }),
      })),
      { kind: 'level', at: 0.01, label: 'α = 1 %' },
    ],
  };
}
