import { formatDuration } from '../../lib/duration.ts';
import type { ProgressEvent, Streamed } from '../../server/client/index.ts';
import type { Terminal } from '../host.ts';
import type { Style } from './style.ts';
import { inertLines } from './text.ts';

type Event = Streamed<ProgressEvent>;

/** Shows a rollout while it works: a live last line on a terminal, plain lines elsewhere, events with `--json`. */
export interface Progress extends Disposable {
  show(event: Event): void;
  /** Writes nothing until something is shown again. */
  pause(): void;
}

export function progressOn(terminal: Terminal, o: { readonly json: boolean; readonly style: Style }): Progress {
  if (o.json)
    return {
      show: (event) => void terminal.write(`${JSON.stringify(event)}\n`),
      pause() {},
      [Symbol.dispose]() {},
    };
  const lines = (event: Event): string | undefined => lineOf(event, o.style);
  return terminal.isTTY === true ? liveProgress(terminal, lines, o.style) : plainProgress(terminal, lines);
}

function plainProgress(terminal: Terminal, lineFor: (event: Event) => string | undefined): Progress {
  return {
    show: (event) => {
      const line = lineFor(event);
      if (line !== undefined) terminal.write(`${line}\n`);
    },
    pause() {},
    [Symbol.dispose]() {},
  };
}

const SPINNER = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'] as const;
const FRAME_MS = 80;
const CLEAR_LINE = '\r\u001b[K';

/** Finished steps scroll by; the step at hand stays on the last line with its time. */
function liveProgress(terminal: Terminal, lineFor: (event: Event) => string | undefined, style: Style): Progress {
  let current: { title: string; since: number } | undefined;
  let frame = 0;
  const paint = (): void => {
    if (current === undefined) return;
    const elapsed = formatDuration(performance.now() - current.since);
    const text = `${current.title} ${elapsed}`.slice(0, Math.max(20, (terminal.columns ?? 80) - 3));
    terminal.write(`${CLEAR_LINE}${style.cyan(SPINNER[frame++ % SPINNER.length] ?? '')} ${text}`);
  };
  const timer = setInterval(paint, FRAME_MS);
  return {
    show: (event) => {
      const title = currentTitle(event);
      if (title !== undefined) current = { title, since: performance.now() };
      if (event.type === 'step-done' || event.type === 'step-failed' || event.type === 'build-done')
        current = undefined;
      const line = title === undefined ? lineFor(event) : undefined;
      if (line !== undefined) terminal.write(`${CLEAR_LINE}${line}\n`);
      paint();
    },
    pause: () => {
      current = undefined;
      terminal.write(CLEAR_LINE);
    },
    [Symbol.dispose]: () => {
      clearInterval(timer);
      terminal.write(CLEAR_LINE);
    },
  };
}

function currentTitle(event: Event): string | undefined {
  if (event.type === 'step-started') return event.step.title;
  if (event.type === 'build-started') return `build ${event.service}`;
  return undefined;
}

/** One line for an event, or undefined for events that say nothing to people. */
function lineOf(event: Event, style: Style): string | undefined {
  switch (event.type) {
    case 'build-started':
      return `build ${event.service}`;
    case 'build-output':
      return style.dim(`  ${event.service} | ${inertLines(event.line)}`);
    case 'job-output':
      return style.dim(`  ${event.job} | ${inertLines(event.line)}`);
    case 'build-done':
      return `${style.green('✓')} built ${event.service} ${style.dim(`${event.imageId.replace('sha256:', '').slice(0, 12)} ${formatDuration(event.durationMs)}`)}`;
    case 'planned':
      return style.bold(`${event.kind} ${event.project}${passage(event)}: ${event.steps.length} steps`);
    case 'step-started':
      return undefined;
    case 'step-done':
      return `${style.green('✓')} ${undo(event.undoing)}${event.step.title} ${style.dim(`(${event.step.cause}) ${formatDuration(event.durationMs)}`)}`;
    case 'step-failed':
      return `${style.red('✗')} ${undo(event.undoing)}${event.step.title}: ${inertLines(event.reason)}`;
    case 'warning':
      return `${style.yellow('!')} ${inertLines(event.message)}`;
    case 'finished':
      return undefined;
  }
}

function passage(event: Extract<Event, { type: 'planned' }>): string {
  if (event.to === undefined) return '';
  return event.from === undefined ? ` release ${event.to}` : ` release ${event.from} -> ${event.to}`;
}

function undo(undoing: boolean): string {
  return undoing ? 'undo: ' : '';
}
