import {
  BAD_RATES,
  BASES,
  CROWDS,
  DESIGNS,
  FACTORS,
  LATE_RATES,
  HOUR,
  MARGIN,
  PASS_BASES,
  SHARES,
} from './experiments.ts';
import { type Finding, findingOf, type Findings, wilson } from './findings.ts';
import { JUDGE_NAMES } from './names.ts';

/** Tables of docs/analysis.md by the name between their markers. */
export function tablesOf(findings: Findings): Readonly<Record<string, string>> {
  return {
    'requests until fail': untilFail(findings),
    'requests until pass': untilPass(findings),
    'requests until slow': untilSlow(findings),
    'false alarms': falseAlarms(findings),
    'false passes': falsePasses(findings),
    'peers without a difference': peersSame(findings),
    'peers and bad candidates': peersBad(findings),
    'late failures': late(findings),
    'users that stay': crowds(findings),
  };
}

function untilFail(findings: Findings): string {
  return table(
    ['candidate fails', ...SHARES.map((share) => `${percent(share)} of the traffic`)],
    BAD_RATES.map((rate) => [
      percent(rate),
      ...SHARES.map((share) => sayRequests(findingOf(findings, `bad ${rate} ${share}`, 'bascule'))),
    ]),
  );
}

function untilPass(findings: Findings): string {
  return table(
    ['both fail', ...SHARES.map((share) => `${percent(share)} of the traffic`)],
    PASS_BASES.map((base) => [
      percent(base),
      ...SHARES.map((share) => sayRequests(findingOf(findings, `pass ${base} ${share}`, 'pass'))),
    ]),
  );
}

function untilSlow(findings: Findings): string {
  return table(
    ['candidate takes', 'called worse', 'requests until `fail`', 'passed', 'requests until `pass`'],
    FACTORS.map((factor) => {
      const [fail, pass] = (['fail', 'pass'] as const).map((until) =>
        findingOf(findings, `slow ${factor} ${until}`, until),
      );
      if (fail === undefined || pass === undefined) throw new Error(`no finding of ${factor}`);
      return [`${factor} × as long`, sayShare(fail), sayRequests(fail), sayShare(pass), sayRequests(pass)];
    }),
  );
}

function falseAlarms(findings: Findings): string {
  return table(
    [
      'both fail',
      'share',
      'rollouts',
      'false alarms, most eager settings',
      '95 % interval',
      'with the defaults',
      '95 % interval',
    ],
    BASES.flatMap(({ name }) =>
      SHARES.map((share) => {
        const [eager, usual] = ['eager', 'bascule'].map((judge) => findingOf(findings, `same ${name} ${share}`, judge));
        if (eager === undefined || usual === undefined) throw new Error(`no finding of ${name}`);
        const runs = eager.runs.toLocaleString('en-US');
        return [name, percent(share), runs, sayCount(eager), sayInterval(eager), sayCount(usual), sayInterval(usual)];
      }),
    ),
  );
}

function falsePasses(findings: Findings): string {
  return table(
    [
      'stable fails',
      'candidate fails',
      'share',
      'rollouts',
      'passed, most eager settings',
      '95 % interval',
      'with the defaults',
    ],
    PASS_BASES.flatMap((base) =>
      SHARES.map((share) => {
        const [eager, usual] = ['eagerPass', 'pass'].map((judge) =>
          findingOf(findings, `margin ${base} ${share}`, judge),
        );
        if (eager === undefined || usual === undefined) throw new Error(`no finding of ${base}`);
        const runs = eager.runs.toLocaleString('en-US');
        return [
          percent(base),
          percent(base + MARGIN),
          percent(share),
          runs,
          sayCount(eager),
          sayInterval(eager),
          sayCount(usual),
        ];
      }),
    ),
  );
}

const PEER_ORDER = Object.keys(JUDGE_NAMES);

function peersSame(findings: Findings): string {
  return table(
    ['stopped within an hour, although there is no difference', ...BASES.map(({ name }) => `both fail ${name}`)],
    PEER_ORDER.map((judge) => [
      JUDGE_NAMES[judge] ?? judge,
      ...BASES.map(({ name }) => sayShare(findingOf(findings, `same ${name} 0.1`, judge))),
    ]),
  );
}

function peersBad(findings: Findings): string {
  return table(
    ['requests to the candidate until it was stopped (median)', ...BAD_RATES.map(percent)],
    PEER_ORDER.map((judge) => [
      JUDGE_NAMES[judge] ?? judge,
      ...BAD_RATES.map((rate) => {
        const finding = findingOf(findings, `bad ${rate} 0.1`, judge);
        const median = finding.quantile(0.5);
        return median === undefined ? `– (${sayShare(finding)})` : digits(median);
      }),
    ]),
  );
}

function late(findings: Findings): string {
  const before = (3 * HOUR * 0.1) / 2;
  const after = (finding: Finding, q: number) => {
    const value = finding.quantile(q);
    return value === undefined ? '–' : digits(Math.max(0, value - before));
  };
  return table(
    ['fails from then on', 'most eager settings: median', '90 %', 'with the defaults: median', '90 %'],
    LATE_RATES.map((rate) => [
      percent(rate),
      ...['eager', 'bascule'].flatMap((judge) => {
        const finding = findingOf(findings, `late ${rate}`, judge);
        return [after(finding, 0.5), after(finding, 0.9)];
      }),
    ]),
  );
}

function crowds(findings: Findings): string {
  const names: Readonly<Record<string, string>> = {
    design1: 'every failure counted, design effect 1',
    design2: '2',
    design5: '5',
    design10: '10',
    once: 'first failures, design effect 1',
    peeking: 'z test, looked at again and again',
  };
  return table(
    ['false alarms', ...DESIGNS.map((judge) => names[judge] ?? judge)],
    CROWDS.map(({ name, users }) => [
      `${name}, ${percent(users.unlucky)} of the users unlucky`,
      ...DESIGNS.map((judge) => sayShare(findingOf(findings, `crowd ${name}`, judge))),
    ]),
  );
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

function sayRequests(finding: Finding): string {
  const [median, most] = [finding.quantile(0.5), finding.quantile(0.9)];
  if (median === undefined) return finding.decided === 0 ? '–' : `– (${sayShare(finding)})`;
  return `${digits(median)} (${most === undefined ? '–' : digits(most)})`;
}

function sayShare({ decided, runs }: Finding): string {
  return percent(decided / runs);
}

function sayCount(finding: Finding): string {
  return `${finding.decided} (${sayShare(finding)})`;
}

function sayInterval(finding: Finding): string {
  const { low, high } = wilson(finding);
  return `${percent(low)} … ${percent(high)}`;
}

export function percent(fraction: number): string {
  return `${Number((fraction * 100).toPrecision(fraction < 0.1 ? 2 : 3))} %`;
}

/** Two digits are all that a median of some hundred runs has. */
function digits(value: number): string {
  return Number(value.toPrecision(2)).toLocaleString('en-US');
}
