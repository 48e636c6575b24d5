import { formatDuration } from '../../lib/duration.ts';
import type { RolloutOutcome, Streamed } from '../../server/client/index.ts';
import type { Style } from './style.ts';
import { formatNumber } from './text.ts';

/** The closing lines of a rollout. */
export function renderOutcome(outcome: Streamed<RolloutOutcome>, style: Style, now = new Date()): string {
  return [headline(outcome, style), ...evidence(outcome, style), ...ports(outcome), ...warm(outcome, now)]
    .map((line) => `${line}\n`)
    .join('');
}

function headline(outcome: Streamed<RolloutOutcome>, style: Style): string {
  const { project, release, switchMs, strategy } = outcome;
  const took = formatDuration(outcome.durationMs);
  switch (outcome.result) {
    case 'switched': {
      const tip = switchMs === undefined ? '' : `, switch ${switchMs.toFixed(1)} ms`;
      const how = strategy === undefined ? '' : `${strategy}, `;
      return `${style.green('●')} ${project} serves release ${release ?? '?'} ${style.dim(`(${how}${took}${tip})`)}`;
    }
    case 'unchanged':
      if (outcome.kind === 'down') return `${style.green('●')} ${project}: nothing of it runs`;
      return `${style.green('●')} ${project} is up to date: release ${release ?? '?'} serves`;
    case 'removed':
      return `${style.green('●')} ${project} is removed ${style.dim(`(${took})`)}`;
    case 'undone':
      return `${style.red('●')} ${project}: undone${release === undefined ? '' : `, release ${release} serves as before`}`;
  }
}

function evidence({ kind, totals, verdict, rollout }: Streamed<RolloutOutcome>, style: Style): readonly string[] {
  if (kind === 'down') return []; // it cuts off whoever is there: that is what it is for
  const isCompared = verdict?.metrics.some(({ candidate }) => candidate.requests > 0) === true;
  const said = isCompared ? [`  verdict of the comparison: ${verdict.verdict}`] : [];
  if (totals === undefined || totals.requests + totals.lost === 0) return said;
  return [...said, renderLosses({ totals, ...(rollout === undefined ? {} : { rollout }) }, style).trimEnd()];
}

/** Requests and losses; a loss is never told in passing. */
export function renderLosses(
  o: { readonly totals: NonNullable<RolloutOutcome['totals']>; readonly rollout?: number },
  style: Style,
): string {
  const { requests, lost } = o.totals;
  const loss = lost === 0 ? style.green('0 lost') : style.red(`${formatNumber(lost)} LOST`);
  const look = lost === 0 ? '' : `: \`bascule ledger ${o.rollout ?? ''}\` says where`;
  return `  ${formatNumber(requests)} requests meanwhile, ${loss}${look}\n`;
}

function ports(outcome: Streamed<RolloutOutcome>): readonly string[] {
  return outcome.ports.map(({ service, published, protocol, hostAddress }) =>
    protocol === 'http'
      ? `  ${service}: http://${hostAddress ?? 'localhost'}:${published}`
      : `  ${service}: ${hostAddress ?? 'localhost'}:${published}/${protocol}`,
  );
}

function warm({ previous, warmUntil }: Streamed<RolloutOutcome>, now: Date): readonly string[] {
  if (previous === undefined || warmUntil === undefined) return [];
  const until = new Date(warmUntil);
  return until > now
    ? [
        `  release ${previous} stays warm until ${until.toTimeString().slice(0, 8)}: \`bascule rollback\` tips back at once`,
      ]
    : [`  release ${previous} is kept: \`bascule rollback\` starts it again from its images`];
}
