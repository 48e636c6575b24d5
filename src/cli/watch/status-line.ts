import { formatMs, formatNumber, formatShare, formatWeight, inert } from '../output/text.ts';
import { isCompared, nameOf, stateOf, stepAtHand, verdictWords, type Status } from './status.ts';

/** How often a line is printed while nothing changes. */
const LINE_MS = 10_000;

/** A status as one line without colours, for logs and pipes. */
export function statusLine(status: Status, now: Date): string {
  const { stage, sides, note, failure } = status;
  const parts = [
    `${now.toTimeString().slice(0, 8)} ${status.project} ${nameOf(status)}: ${stateOf(status)}`,
    stage === undefined || stage.stages === 0
      ? undefined
      : `stage ${stage.stage}/${stage.stages} at ${formatWeight(stage.weight)}`,
    ...(sides === undefined || !isCompared(status)
      ? []
      : [`old ${sideText(sides.stable)}`, `new ${sideText(sides.candidate)}`]),
    verdictWords(status),
    ...status.guards.filter(({ state }) => state === 'failed').map(({ name, detail }) => `guard ${name}: ${detail}`),
    stepAtHand(status),
    note === failure?.reason ? undefined : note,
    failure?.reason,
  ];
  return parts.flatMap((part) => (part === undefined || part === '' ? [] : inert(part))).join(' · ');
}

function sideText({ perSecond, requests, failed, p95Ms }: NonNullable<Status['sides']>['stable']): string {
  const share = requests === 0 ? '-' : formatShare(failed / requests);
  return `${formatNumber(perSecond)}/s ${share} errors p95 ${formatMs(p95Ms)}`;
}

/** Two statuses with the same signature tell the same story: only their figures differ. */
function signatureOf(status: Status): string {
  const { stage, routes, verdict, guards, note, failure } = status;
  return JSON.stringify([
    stateOf(status),
    stage?.stage,
    stage?.weight,
    routes.map(({ weight }) => weight),
    verdict?.verdict,
    guards.map(({ name, state }) => [name, state]),
    note?.replace(/[\d.,]+/g, '#'),
    failure?.reason,
    stepAtHand(status),
  ]);
}

/**
 * Chooses what to print of a stream of statuses: at each change, and every `LINE_MS`.
 * @returns the line, or undefined where there is nothing new
 */
export function lineChooser(): (status: Status, now: Date) => string | undefined {
  let last: { readonly signature: string; readonly at: number } | undefined;
  return (status, now) => {
    const signature = signatureOf(status);
    const isDue = last === undefined || last.signature !== signature || now.getTime() - last.at >= LINE_MS;
    if (!isDue) return undefined;
    last = { signature, at: now.getTime() };
    return statusLine(status, now);
  };
}
