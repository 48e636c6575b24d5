import { formatDuration } from '../../lib/duration.ts';
import { formatNumber } from '../output/text.ts';
import { renderCharts } from './charts.ts';
import { html, type Html, trusted } from './html.ts';
import { passageOf, type Shown, timelineOf } from './shown.ts';
import { STYLE } from './style.ts';
import {
  renderControls,
  renderCounters,
  renderFailure,
  renderProbes,
  renderSides,
  renderSteps,
  renderVerdict,
} from './tables.ts';

/** The evidence of a rollout as one page that needs nothing else: no script, no file, no network. */
export function renderLedgerPage(ledger: Shown): string {
  const { project, rollout, kind } = ledger;
  const timeline = timelineOf(ledger);
  const title = `Rollout ${rollout} of ${project}: ${kind}${passageOf(ledger) === '' ? '' : `, ${passageOf(ledger)}`}`;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width,initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>${title}</title>
        <style>
          ${trusted(STYLE)}
        </style>
      </head>
      <body>
        <main>
          <h1>${title}</h1>
          ${renderBanners(ledger)}${renderFacts(ledger)} ${renderFailure(ledger)} ${renderSides(ledger)}
          ${timeline === undefined ? '' : renderCharts(ledger, timeline)} ${renderVerdict(ledger, timeline)}
          ${renderProbes(ledger)} ${renderControls(ledger)} ${renderSteps(ledger)} ${renderCounters(ledger)}
        </main>
        <footer>Ledger of Bascule. Times of day are UTC.</footer>
      </body>
    </html> `;
  return page.markup;
}

function renderBanners(ledger: Shown): Html {
  const { totals, doubts, probes } = ledger;
  const { requests, lost, appErrors } = totals;
  const word = RESULTS[ledger.result];
  const errors = appErrors === 0 ? '' : ` The application itself answered ${formatNumber(appErrors)} with a 5xx.`;
  const probed = probes.reduce((sum, { sent }) => sum + sent, 0);
  const seen =
    requests === 0 && lost === 0
      ? `No request came.${errors}`
      : `${formatNumber(requests)} requests meanwhile${probed === 0 ? '' : `, and ${formatNumber(probed)} of the probes`}.${errors}`;
  const look = lost > 0 ? 'bad' : word.look;
  const loss =
    lost > 0 ? `${formatNumber(lost)} ${lost === 1 ? 'request was' : 'requests were'} LOST` : 'no request was lost';
  return html`<div class="banner ${look}" role="status">${word.text}: ${loss}<small>${seen}</small></div>
    ${doubts.length === 0 ? '' : html`<div class="banner odd"><small>${doubts.map((doubt) => html`<p>${doubt}</p>`)}</small></div>`}`;
}

const RESULTS = {
  switched: { text: 'The new release serves', look: 'good' },
  unchanged: { text: 'Nothing was to be done', look: 'good' },
  removed: { text: 'The project was removed', look: 'good' },
  undone: { text: 'Taken back', look: 'odd' },
  running: { text: 'Still running', look: 'odd' },
} as const;

function renderFacts(ledger: Shown): Html {
  const { author, revision, strategy, startedAt, endedAt, switchMs, verdict, kind } = ledger;
  const tookMs = endedAt === undefined ? undefined : new Date(endedAt).getTime() - new Date(startedAt).getTime();
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['What', kind],
    ['By', author],
    ['Source revision', revision],
    ['Strategy', strategy],
    ['Began', `${startedAt.slice(0, 10)} ${startedAt.slice(11, 19)} UTC`],
    ['Took', tookMs === undefined ? undefined : formatDuration(tookMs)],
    ['Switch', switchMs === undefined ? undefined : `${switchMs.toFixed(1)} ms`],
    ['Verdict of the comparison', verdict?.verdict],
  ];
  return html`<dl>
    ${facts.map(([name, value]) =>
      value === undefined
        ? html``
        : html`<div>
            <dt>${name}</dt>
            <dd>${value}</dd>
          </div>`,
    )}
  </dl>`;
}
