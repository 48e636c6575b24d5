import { formatDuration } from '../../lib/duration.ts';
import type { LedgerFigures, Streamed } from '../../server/client/index.ts';
import { formatMs, formatNumber, formatShare, formatWeight } from '../output/text.ts';
import { odds, renderBar, renderEvidenceCharts } from './charts.ts';
import { html, type Html, NOTHING } from './html.ts';
import { nameOf, type Shown, type Timeline } from './shown.ts';

type Column = readonly [heading: string, isNumber?: boolean];

function table(caption: string, columns: readonly Column[], rows: readonly Html[]): Html {
  const heads = columns.map(
    ([heading, isNumber]) => html`<th scope="col" class="${isNumber === true ? 'n' : ''}">${heading}</th>`,
  );
  return html`<div class="wide">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${heads}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

const numbers = (values: readonly (Html | string)[]): readonly Html[] =>
  values.map((value) => html`<td class="n">${value}</td>`);

/** A number that ought to be 0. */
function loss(count: number): Html {
  return count === 0 ? html`0` : html`<b class="bad">${formatNumber(count)}</b>`;
}

export function renderSides(ledger: Shown): Html {
  if (ledger.sides.length === 0) return NOTHING;
  const row = (name: string, figures: Streamed<LedgerFigures>, look = ''): Html => {
    const { requests, lost, losses, appErrors, left, drained, latencyMs } = figures;
    const { refused, reset, truncated, 'proxy-error': proxy } = losses;
    const times = (['p50', 'p90', 'p95', 'p99', 'max'] as const).map((key) => formatMs(latencyMs?.[key]));
    return html`<tr class="${look}">
      <th scope="row">${name}</th>
      ${numbers([formatNumber(requests), loss(lost), ...[refused, reset, truncated, proxy].map(loss), formatNumber(appErrors), formatNumber(left), formatNumber(drained), ...times])}
    </tr>`;
  };
  const rows = ledger.sides.flatMap((side) => [
    row(nameOf(side.side, ledger), side),
    ...(side.services.length < 2
      ? []
      : side.services.map((each) => row(`${each.service} (from release ${each.release})`, each, 'sub'))),
  ]);
  const columns: readonly Column[] = [
    ['Side'],
    ...[
      'Requests',
      'Lost',
      'Refused',
      'Reset',
      'Truncated',
      'Proxy 5xx',
      'App 5xx',
      'Left',
      'Drained',
      'p50',
      'p90',
      'p95',
      'p99',
      'Max',
    ].map((each) => [each, true] as const),
  ];
  return html`<h2 id="sides">Both sides</h2>
    ${table(
      'Requests of clients, seen one by one while the rollout ran and for 30 seconds after it. Times to the first byte of the answer, right to 1 %. A 5xx of the application is its own answer: shown, not lost.',
      columns,
      rows,
    )}`;
}

const PROBES = { get: 'GET, kept alive', post: 'slow POST', sse: 'event stream', websocket: 'WebSocket' } as const;

export function renderProbes({ probes }: Shown): Html {
  if (probes.length === 0) return NOTHING;
  const rows = probes.map((probe) => {
    const counts = [probe.sent, probe.answered, probe.messages].map(formatNumber);
    return html`<tr>
      <th scope="row">${PROBES[probe.kind]}</th>
      <td>${probe.url}</td>
      ${numbers([...counts, loss(probe.lost), formatMs(probe.longestGapMs)])}
      <td>${failuresOf(probe)}</td>
    </tr>`;
  });
  const examples = probes.flatMap(({ kind, examples: own }) =>
    own.map(
      (each) =>
        html`<li><span class="soft">${timeOf(each.atMs)}</span> ${PROBES[kind]}: ${each.kind}, ${each.detail}</li>`,
    ),
  );
  const columns: readonly Column[] = [
    ['Probe'],
    ['Address'],
    ...['Sent', 'Answered', 'Events', 'Lost', 'Longest gap'].map((each) => [each, true] as const),
    ['What failed, what ended'],
  ];
  return html`<h2 id="probes">Probes</h2>
    ${table('Requests of Bascule itself through the front door, from before the first step until after the last.', columns, rows)}${
      examples.length === 0
        ? ''
        : html`<ul>
            ${examples}
          </ul>`
    }`;
}

/** `1 reset, 2 ended at the drain deadline`. */
function failuresOf({ failed, ended, statuses }: Shown['probes'][number]): string {
  const kinds = Object.entries(failed).map(([kind, count]) => [count, kind] as const);
  const ends = [
    [ended.byApplication, 'ended by the application'],
    [ended.atDrainDeadline, 'ended at the drain deadline'],
  ] as const;
  const odd = Object.entries(statuses).filter(([status]) => !/^[123]/.test(status) && Number(status) < 500);
  const answers = odd.map(([status, count]) => [count, `answered ${status}`] as const);
  const words = [...kinds, ...ends, ...answers].filter(([count]) => count > 0);
  return words.map(([count, what]) => `${formatNumber(count)} ${what}`).join(', ');
}

export function renderVerdict(ledger: Shown, timeline: Timeline | undefined): Html {
  const { verdict, guards } = ledger;
  const look = { pass: 'good', fail: 'bad', insufficient: 'odd' } as const;
  const metrics = (verdict?.metrics ?? []).map(
    (metric) =>
      html`<tr>
        <th scope="row">${metric.metric}</th>
        <td class="${look[metric.verdict]}">${metric.verdict}</td>
        ${numbers([
          `${formatShare(metric.stable.rate)} of ${formatNumber(metric.stable.requests)}`,
          `${formatShare(metric.candidate.rate)} of ${formatNumber(metric.candidate.requests)}`,
          `${odds(metric.worse)} of ${odds(metric.thresholds.worse)}`,
          `${odds(metric.notWorse)} of ${odds(metric.thresholds.notWorse)}`,
        ])}
        <td class="t">${metric.reason}</td>
      </tr>`,
  );
  const guardRows = guards.map(
    ({ name, state, value, detail }) =>
      html`<tr>
        <th scope="row">${name}</th>
        <td class="${state === 'failed' ? 'bad' : state === 'ok' ? 'good' : 'odd'}">${state}</td>
        <td class="n">${value ?? ''}</td>
        <td>${detail}</td>
      </tr>`,
  );
  if (metrics.length + guardRows.length === 0) return NOTHING;
  return html`<h2 id="evidence">Evidence</h2>
    ${metrics.length === 0 ? '' : table('Both sides on the same traffic at the same time. Evidence is an e-value: what a fair bet against the statement would have paid.', [['Metric'], ['Verdict'], ['Stable', true], ['Candidate', true], ['Worse', true], ['Not worse', true], ['Reason']], metrics)}
    ${timeline === undefined ? '' : renderEvidenceCharts(ledger, timeline)}
    ${guardRows.length === 0 ? '' : table('Guards', [['Guard'], ['State'], ['Value', true], ['Detail']], guardRows)}`;
}

export function renderControls({ controls }: Shown): Html {
  if (controls.length === 0) return NOTHING;
  const rows = controls.map(
    ({ at, author, action, weight, reason }) =>
      html`<tr>
        <td>${timeOf(at)}</td>
        <td>${author}</td>
        <td>${action}${weight === undefined ? '' : ` ${formatWeight(weight)}`}</td>
        <td>${reason}</td>
      </tr>`,
  );
  return html`<h2 id="controls">Controls</h2>
    ${table('Who said what to the rollout.', [['Time'], ['Who'], ['What'], ['Why']], rows)}`;
}

export function renderSteps(ledger: Shown): Html {
  const { steps, startedAt, endedAt } = ledger;
  const times = steps.flatMap(({ endedAt: end }) => (end === undefined ? [] : [new Date(end).getTime()]));
  const from = new Date(startedAt).getTime();
  const to = Math.max(from + 1, endedAt === undefined ? 0 : new Date(endedAt).getTime(), ...times);
  const rows = steps.map((step) => {
    const look = step.outcome === 'failed' ? 'failed' : step.undoing ? 'undo' : '';
    const took = step.durationMs === undefined ? '' : formatDuration(step.durationMs);
    return html`<tr class="${look}">
      <td class="n">${step.index + 1}</td>
      <td>
        ${step.undoing ? 'undo: ' : ''}${step.title}${step.reason === undefined ? '' : html`<br /><span class="bad">${step.reason}</span>`}
      </td>
      <td>${step.cause}</td>
      <td>${step.outcome}</td>
      <td>${step.startedAt === undefined ? '' : timeOf(step.startedAt)}</td>
      <td class="n">${took}</td>
      <td class="t">${renderBar(step, from, to)}</td>
    </tr>`;
  });
  return html`<h2 id="steps">Steps</h2>
    ${table('Each with its cause, as the plan said it, and when it ran.', [['#', true], ['What'], ['Why'], ['Outcome'], ['Began'], ['Took', true], ['When']], rows)}`;
}

export function renderCounters({ traffic }: Shown): Html {
  if (traffic.length === 0) return NOTHING;
  const rows = traffic.map(
    ({ service, release, lane, requests, lost, connectionErrors, proxyErrors, retries }) =>
      html`<tr>
        <th scope="row">${service} (from release ${release})</th>
        <td>${lane}</td>
        ${numbers([formatNumber(requests), loss(lost), loss(connectionErrors), loss(proxyErrors), formatNumber(retries)])}
      </tr>`,
  );
  return html`<h2 id="counters">The proxy's own counters</h2>
    ${table('A cross-check from another source: all requests of a lane, those of the probes too, until the next rollout began.', [['Set'], ['Lane'], ['Requests', true], ['Lost', true], ['No connection', true], ['Proxy 5xx', true], ['Retries', true]], rows)}`;
}

export function renderFailure({ failure }: Shown): Html {
  if (failure === undefined) return NOTHING;
  const { reason, fix, logs, healthOutput = '', instance, step } = failure;
  return html`<h2 id="failure">Why it was taken back</h2>
    <p>${reason}</p>
    <p><span class="soft">What to do:</span> ${fix}</p>
    ${step === undefined ? '' : html`<p class="soft">At step ${step.index + 1}: ${step.title}</p>`}
    ${
      healthOutput.trim() === ''
        ? ''
        : html`<h3>Last output of the health check</h3>
            <pre>${healthOutput.trim()}</pre>`
    }
    ${
      logs.length === 0
        ? ''
        : html`<h3>Last lines${instance === undefined ? '' : ` of ${instance}`}</h3>
            <pre>${logs.join('\n')}</pre>`
    }`;
}

function timeOf(at: string | number): string {
  return new Date(at).toISOString().slice(11, 23);
}
