import type { Style } from '../output/style.ts';
import { clip, formatSeconds, formatWeight, inert, padEnd, wrap } from '../output/text.ts';
import { barOf, LABEL_COLUMNS, type Frame, type Room } from './frame.ts';
import { renderEvidence, renderGuards } from './render-evidence.ts';
import { renderSides } from './render-sides.ts';
import { renderSteps } from './render-steps.ts';
import { nameOf, stateOf, type Status } from './status.ts';

const FEWEST_STEP_ROWS = 3;
const ROWS_FOR_ALL = 34;

/** A rollout as a picture of lines; a pure function of the status and the frame. */
export function renderStatus(status: Status, frame: Frame): readonly string[] {
  const { columns, style, rows = Number.POSITIVE_INFINITY, footer = [] } = frame;
  const room: Room = { columns, style, isTight: rows < ROWS_FOR_ALL };
  const head = renderHead(status, frame);
  const traffic = [...renderSplit(status, room), ...renderSides(status, room)];
  const sections = [head, traffic, renderEvidence(status, room), renderGuards(status, room)].filter(
    ({ length }) => length > 0,
  );
  const above = sections.flatMap((section) => (room.isTight ? section : [...section, '']));
  const below = footer.length === 0 ? [] : ['', ...footer];
  const left = Math.max(FEWEST_STEP_ROWS, rows - above.length - below.length);
  const steps = renderSteps(status, { ...room, rows: left });
  const picture = [...above, ...steps].slice(0, Math.max(0, rows - below.length));
  return [...picture, ...below].slice(-rows).map((line) => clip(line, columns).trimEnd());
}

function renderHead(status: Status, { columns, style, now, rows = ROWS_FOR_ALL }: Frame): readonly string[] {
  const end = status.endedAt === undefined ? now : new Date(status.endedAt);
  const elapsed = formatSeconds(Math.max(0, end.getTime() - Date.parse(status.startedAt)));
  const name = `${style.bold(`${status.project} ${nameOf(status)}`)}  ${paintState(status, style)} ${elapsed}`;
  const note = status.note === status.failure?.reason ? undefined : status.note;
  const most = rows < ROWS_FOR_ALL ? 2 : 4;
  const who = style.dim(`rollout ${status.rollout} by ${inert(status.author)}`);
  return [
    `${name}  ${who}`,
    ...renderStage(status, style, columns),
    ...sentences(note, columns, most).map((line) => style.yellow(line)),
    ...sentences(status.failure?.reason, columns, most).map((line) => style.red(line)),
  ];
}

/** A text of which the end may be missing: `most` lines. */
function sentences(text: string | undefined, columns: number, most: number): readonly string[] {
  if (text === undefined || text === '') return [];
  const lines = wrap(inert(text), columns);
  const rest = lines.slice(most - 1).join(' ');
  return lines.length <= most ? lines : [...lines.slice(0, most - 1), clip(rest, columns)];
}

function paintState(status: Status, style: Style): string {
  const word = stateOf(status);
  switch (status.state) {
    case 'running':
      return style.cyan(word);
    case 'paused':
    case 'waiting':
      return style.yellow(word);
    case 'undoing':
      return style.red(word);
    case 'ended':
      return status.result === 'undone' ? style.red(word) : style.green(word);
  }
}

function renderStage({ stage }: Status, style: Style, columns: number): readonly string[] {
  if (stage === undefined) return [];
  const { forMs, requests, confirmed } = stage.until;
  const lead = stage.stages === 0 ? '' : `stage ${stage.stage} of ${stage.stages} at ${formatWeight(stage.weight)}`;
  const also = [
    ...(requests === undefined ? [] : [`until ${requests.toLocaleString('en')} requests`]),
    ...(confirmed === true ? ['until promoted'] : []),
  ].join(', ');
  const time =
    forMs === undefined
      ? `${formatSeconds(stage.elapsedMs)} so far`
      : stage.elapsedMs >= forMs
        ? `its ${formatSeconds(forMs)} have passed`
        : `${formatSeconds(forMs - stage.elapsedMs)} of ${formatSeconds(forMs)} left`;
  const text = [lead, time, also].filter(Boolean).join(', ');
  if (forMs === undefined || columns < 90) return wrap(text, columns);
  return [`${text}  ${barOf(Math.min(1, stage.elapsedMs / forMs), 16, style.cyan)}`];
}

/** What has ended has one side only. */
function finalWeight({ state, result }: Status): number | undefined {
  if (state !== 'ended') return undefined;
  return result === 'switched' ? 10_000 : 0;
}

/** Shares of both sides, a bar for each weight that differs. */
function renderSplit(status: Status, { columns, style }: Room): readonly string[] {
  const { routes, from, to } = status;
  const services = Map.groupBy(routes, ({ weight }) => finalWeight(status) ?? weight);
  return [...services].map(([weight, each]) => {
    const label = services.size === 1 ? 'traffic' : [...new Set(each.map(({ service }) => service))].join(' ');
    const left = `${from === undefined ? 'old' : `release ${from}`} ${formatWeight(10_000 - weight)} `;
    const right = ` ${formatWeight(weight)} ${to === undefined ? 'new' : `release ${to}`}`;
    const width = Math.max(6, columns - LABEL_COLUMNS - left.length - right.length);
    const candidate = Math.round((width * weight) / 10_000);
    const bar = style.dim('░'.repeat(width - candidate)) + style.cyan('█'.repeat(candidate));
    return `${padEnd(clip(label, LABEL_COLUMNS - 1), LABEL_COLUMNS)}${left}${bar}${right}`;
  });
}
