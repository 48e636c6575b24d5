import { formatDuration } from '../../lib/duration.ts';
import type { Style } from '../output/style.ts';
import { inert } from '../output/text.ts';
import type { Room } from './frame.ts';
import type { Status } from './status.ts';

type Step = Status['steps'][number];

const MARKS = { pending: '·', running: '●', done: '✓', failed: '✗', skipped: '-' } as const;

/** The steps around the one at hand, with what is left out at both ends. */
export function renderSteps({ steps }: Status, { style, rows }: Room & { readonly rows: number }): readonly string[] {
  if (steps.length === 0) return [];
  const done = steps.filter(({ outcome }) => outcome === 'done' || outcome === 'skipped').length;
  const room = Math.max(1, rows - 1);
  const { first, last } = windowOf(steps, room);
  const rest = [
    ...(first > 0 ? [`${first} before`] : []),
    ...(last < steps.length ? [`${steps.length - last} after`] : []),
  ];
  const more = rest.length === 0 ? '' : style.dim(` (${rest.join(', ')})`);
  return [
    `steps     ${done} of ${steps.length} done${more}`,
    ...steps.slice(first, last).map((step) => renderStep(step, style)),
  ];
}

/** As many steps as there is room for, the first unfinished one a third from the top. */
function windowOf(steps: readonly Step[], room: number): { readonly first: number; readonly last: number } {
  const open = steps.findIndex(({ outcome }) => outcome === 'running' || outcome === 'failed');
  const pending = steps.findIndex(({ outcome }) => outcome === 'pending');
  const at = open >= 0 ? open : pending >= 0 ? pending : steps.length - 1;
  const length = Math.min(room, steps.length);
  const first = Math.max(0, Math.min(at - Math.floor(length / 3), steps.length - length));
  return { first, last: first + length };
}

function renderStep(step: Step, style: Style): string {
  const { outcome, title, cause, durationMs, reason, undoing } = step;
  const time = durationMs === undefined ? '' : ` ${formatDuration(durationMs)}`;
  const text = `${undoing ? 'undo: ' : ''}${inert(title)}`;
  const why = style.dim(` (${inert(cause)})${time}`);
  const mark = MARKS[outcome];
  switch (outcome) {
    case 'done':
      return `${style.green(mark)} ${text}${why}`;
    case 'running':
      return `${style.cyan(mark)} ${style.bold(text)}${why}`;
    case 'failed':
      return `${style.red(mark)} ${text}: ${inert(reason ?? 'failed')}`;
    case 'pending':
    case 'skipped':
      return style.dim(`${mark} ${text} (${inert(cause)})`);
  }
}
