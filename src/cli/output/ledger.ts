import { formatDuration } from '../../lib/duration.ts';
import type { Ledger, Streamed } from '../../server/client/index.ts';
import type { Style } from './style.ts';
import { formatAge, renderTable } from './table.ts';
import { formatMs, formatNumber, formatWeight, inert } from './text.ts';

type Shown = Streamed<Ledger>;

/** One line for each rollout. */
export function renderLedgers(ledgers: readonly Shown[], now: Date, style: Style): string {
  const rows = ledgers.map((ledger) => [
    String(ledger.rollout),
    ledger.kind,
    passage(ledger),
    ledger.result,
    formatAge(new Date(ledger.startedAt), now),
    ledger.switchMs === undefined ? '-' : `${ledger.switchMs.toFixed(1)} ms`,
    formatNumber(ledger.totals.requests),
    lossOf(ledger.totals.lost, style),
  ]);
  return renderTable(['ROLLOUT', 'KIND', 'RELEASES', 'RESULT', 'STARTED', 'SWITCH', 'REQUESTS', 'LOST'], rows);
}

/** The evidence of one rollout, the most important first. */
export function renderLedger(ledger: Shown, style: Style): string {
  return [
    head(ledger, style),
    failure(ledger, style),
    section('what clients saw', sides(ledger)),
    section('probes', probes(ledger)),
    section('evidence', evidence(ledger)),
    section('controls', controls(ledger)),
    section('steps', steps(ledger)),
    section("the proxy's counters", counters(ledger)),
  ]
    .filter((part) => part !== '')
    .join('\n');
}

function section(title: string, body: string): string {
  return body === '' ? '' : `${title}\n${body}`;
}

function head(ledger: Shown, style: Style): string {
  const { rollout, project, kind, result, author, revision, strategy, startedAt, endedAt, switchMs, totals } = ledger;
  const tookMs = endedAt === undefined ? undefined : new Date(endedAt).getTime() - new Date(startedAt).getTime();
  const facts = [
    result,
    ...(strategy === undefined ? [] : [strategy]),
    `by ${inert(author)}`,
    ...(revision === undefined ? [] : [`revision ${inert(revision)}`]),
    ...(tookMs === undefined ? [] : [`took ${formatDuration(tookMs)}`]),
    ...(switchMs === undefined ? [] : [`switch ${switchMs.toFixed(1)} ms`]),
  ];
  const { requests, lost, appErrors } = totals;
  const loss = lost === 0 ? style.green('0 lost') : style.red(`${formatNumber(lost)} LOST`);
  const errors = appErrors === 0 ? '' : `, ${formatNumber(appErrors)} answered 5xx by the application itself`;
  return [
    style.bold(`rollout ${rollout} of ${project}: ${kind} ${passage(ledger)}`),
    facts.join(', '),
    `${formatNumber(requests)} requests meanwhile, ${loss}${errors}`,
    ...ledger.doubts.map((doubt) => style.yellow(`! ${doubt}`)),
    '',
  ].join('\n');
}

function failure({ failure: failed }: Shown, style: Style): string {
  if (failed === undefined) return '';
  const lines = failed.logs.map((line) => `  ${style.dim('|')} ${inert(line)}`);
  return [
    `${style.red('reason:')} ${inert(failed.reason)}`,
    `${style.dim('  what to do:')} ${failed.fix}`,
    ...lines,
    '',
  ].join('\n');
}

function sides({ sides: both, from, to }: Shown): string {
  if (both.length === 0) return '';
  const names = { stable: `r${from} stable`, candidate: `r${to} candidate`, carried: 'carried over' } as const;
  const rows = both.map(({ side, requests, lost, losses, appErrors, left, drained, latencyMs }) => [
    names[side],
    ...[
      requests,
      lost,
      losses.refused,
      losses.reset,
      losses.truncated,
      losses['proxy-error'],
      appErrors,
      left,
      drained,
    ].map(formatNumber),
    ...(['p50', 'p90', 'p95', 'p99', 'max'] as const).map((key) => formatMs(latencyMs?.[key])),
  ]);
  const headings = [
    'SIDE',
    'REQUESTS',
    'LOST',
    'REFUSED',
    'RESET',
    'CUT',
    'PROXY 5XX',
    'APP 5XX',
    'LEFT',
    'DRAINED',
    'P50',
    'P90',
    'P95',
    'P99',
    'MAX',
  ];
  return renderTable(headings, rows);
}

function probes({ probes: all }: Shown): string {
  if (all.length === 0) return '';
  const rows = all.map(({ kind, url, sent, answered, messages, lost, failed, ended, longestGapMs }) => [
    kind,
    inert(url),
    ...[sent, answered, messages, lost].map(formatNumber),
    Object.entries(failed)
      .filter(([, count]) => count > 0)
      .map(([what, count]) => `${count} ${what}`)
      .join(', ') || '-',
    ended.atDrainDeadline === 0 ? '-' : `${ended.atDrainDeadline} at the drain deadline`,
    formatMs(longestGapMs),
  ]);
  return renderTable(
    ['PROBE', 'ADDRESS', 'SENT', 'ANSWERED', 'EVENTS', 'LOST', 'FAILED', 'ENDED', 'LONGEST GAP'],
    rows,
  );
}

function evidence({ verdict, guards }: Shown): string {
  const metrics = (verdict?.metrics ?? []).map(({ metric, verdict: word, reason }) => [metric, word, inert(reason)]);
  const watched = guards.map(({ name, state, detail }) => [inert(name), state, inert(detail)]);
  return metrics.length + watched.length === 0 ? '' : renderTable(['WHAT', 'VERDICT', 'WHY'], [...metrics, ...watched]);
}

function controls({ controls: said }: Shown): string {
  if (said.length === 0) return '';
  const rows = said.map(({ at, author, action, weight, reason }) => [
    at.slice(11, 19),
    inert(author),
    weight === undefined ? action : `${action} ${formatWeight(weight)}`,
    inert(reason ?? '-'),
  ]);
  return renderTable(['TIME', 'WHO', 'WHAT', 'WHY'], rows);
}

function steps({ steps: all }: Shown): string {
  const rows = all.map((step) => [
    String(step.index + 1),
    `${step.undoing ? 'undo: ' : ''}${step.title}`,
    step.cause,
    step.outcome,
    step.startedAt?.slice(11, 19) ?? '-',
    step.durationMs === undefined ? '-' : formatDuration(step.durationMs),
  ]);
  return rows.length === 0 ? '' : renderTable(['STEP', 'WHAT', 'CAUSE', 'OUTCOME', 'BEGAN', 'TOOK'], rows);
}

function counters({ traffic }: Shown): string {
  if (traffic.length === 0) return '';
  const rows = traffic.map(({ service, release, lane, requests, lost, connectionErrors, proxyErrors, retries }) => [
    `${service} r${release}`,
    lane,
    ...[requests, lost, connectionErrors, proxyErrors, retries].map(formatNumber),
  ]);
  return renderTable(['SET', 'LANE', 'REQUESTS', 'LOST', 'CONNECT', 'PROXY 5XX', 'RETRIES'], rows);
}

function lossOf(lost: number, style: Style): string {
  return lost === 0 ? '0' : style.red(formatNumber(lost));
}

function passage({ from, to }: Shown): string {
  return `${from ?? 'nothing'} -> ${to ?? 'nothing'}`;
}
