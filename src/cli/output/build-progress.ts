import { formatDuration } from '../../lib/duration.ts';
import type { ImageBuildEvent } from '../../server/client/index.ts';
import type { Terminal } from '../host.ts';
import type { Style } from './style.ts';
import { clip, inert, inertLines } from './text.ts';

/** Shows a build while it works, on standard error. */
export interface BuildProgress extends Disposable {
  show(event: ImageBuildEvent): void;
}

export type ProgressMode = 'plain' | 'tty' | 'json' | 'quiet';

export function buildProgressOn(terminal: Terminal, mode: ProgressMode, style: Style): BuildProgress {
  switch (mode) {
    case 'quiet':
      return { show() {}, [Symbol.dispose]() {} };
    case 'json':
      return { show: (event) => void terminal.write(`${JSON.stringify(event)}\n`), [Symbol.dispose]() {} };
    case 'plain':
      return plain(terminal, style);
    case 'tty':
      return live(terminal, style);
  }
}

type Started = Extract<ImageBuildEvent, { kind: 'step-started' }>;

/** Lines of an output, each once it is whole. */
function createLines(): { take(step: number, text: string): readonly string[]; rest(step: number): readonly string[] } {
  const open = new Map<number, string>();
  return {
    take(step, text) {
      const lines = ((open.get(step) ?? '') + text).split('\n');
      open.set(step, lines.pop() ?? '');
      return lines;
    },
    rest(step) {
      const text = open.get(step) ?? '';
      open.delete(step);
      return text === '' ? [] : [text];
    },
  };
}

/** One line an event; each names its step, since steps run side by side. */
function plain(terminal: Terminal, style: Style): BuildProgress {
  const lines = createLines();
  const put = (step: number, text: string): void => void terminal.write(`${style.dim(`#${step}`)} ${text}\n`);
  return {
    show(event) {
      switch (event.kind) {
        case 'step-started':
          put(event.step, titleOf(event));
          break;
        case 'output':
          for (const line of lines.take(event.step, event.text)) put(event.step, inertLines(line));
          break;
        case 'step-done':
          for (const line of lines.rest(event.step)) put(event.step, inertLines(line));
          put(event.step, event.cached ? 'CACHED' : `DONE ${formatDuration(event.durationMs)}`);
          break;
        default:
          for (const line of besideSteps(event, style)) terminal.write(`${line}\n`);
      }
    },
    [Symbol.dispose]() {},
  };
}

function besideSteps(
  event: Exclude<ImageBuildEvent, { kind: `step-${string}` | 'output' }>,
  style: Style,
): readonly string[] {
  switch (event.kind) {
    case 'warning':
      return [
        `${style.yellow('!')} ${event.code}: ${inertLines(event.message)}${event.line > 0 ? ` (line ${event.line})` : ''}`,
      ];
    case 'status':
      return [style.dim(inert(`${event.what}: ${event.line}`))];
    case 'built':
      return [];
  }
}

function titleOf({ stage, step, total, text }: Started): string {
  return `[${inert(stage)} ${step}/${total}] ${inert(text)}`;
}

const FRAME_MS = 100;
const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;
const MOST_SHOWN = 6;

interface Running {
  readonly started: Started;
  readonly since: number;
  last: string;
}

/** Finished steps scroll by; those that run stay below, with their time and their last line. */
function live(terminal: Terminal, style: Style): BuildProgress {
  const running = new Map<number, Running>();
  const lines = createLines();
  let painted = 0;
  let frame = 0;
  const clear = (): string => (painted === 0 ? '' : `\r\u001b[${painted}A\u001b[J`);
  const paint = (above: readonly string[] = []): void => {
    const columns = Math.max(20, (terminal.columns ?? 80) - 1);
    const spinner = style.cyan(SPINNER[frame++ % SPINNER.length] ?? '');
    const below = [...running.values()]
      .slice(0, MOST_SHOWN)
      .flatMap(({ started, since, last }) => [
        clip(`${spinner} ${titleOf(started)} ${style.dim(formatDuration(performance.now() - since))}`, columns),
        ...(last === '' ? [] : [clip(style.dim(`    ${inert(last)}`), columns)]),
      ]);
    terminal.write(`${clear()}${[...above, ...below].map((line) => `${line}\n`).join('')}`);
    painted = below.length;
  };
  const timer = setInterval(paint, FRAME_MS);
  return {
    show(event) {
      switch (event.kind) {
        case 'step-started':
          running.set(event.step, { started: event, since: performance.now(), last: '' });
          break;
        case 'output': {
          const last = lines.take(event.step, event.text).findLast((line) => line.trim() !== '');
          const step = running.get(event.step);
          if (step !== undefined && last !== undefined) step.last = last;
          break;
        }
        case 'step-done': {
          const step = running.get(event.step);
          running.delete(event.step);
          lines.rest(event.step);
          const outcome = event.cached ? 'cached' : formatDuration(event.durationMs);
          if (step !== undefined) paint([`${style.green('✓')} ${titleOf(step.started)} ${style.dim(outcome)}`]);
          break;
        }
        default:
          paint(besideSteps(event, style));
      }
    },
    [Symbol.dispose]() {
      clearInterval(timer);
      terminal.write(clear());
      painted = 0;
    },
  };
}
