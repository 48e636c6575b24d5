import type { Terminal } from '../host.ts';
import { widthOf } from '../output/text.ts';

/** A picture on a terminal that is painted over and over. */
export interface Screen extends Disposable {
  readonly columns: number;
  readonly rows: number;
  paint(lines: readonly string[]): void;
}

const ESC = '\u001b[';
/** The alternate screen keeps what stood there, and no resizing can break a picture that begins in its corner. */
const ENTER = `${ESC}?1049h${ESC}?25l${ESC}?7l`;
const LEAVE = `${ESC}?7h${ESC}?25h${ESC}?1049l`;
/** Terminals that know of it show a picture only when it is whole; the others ignore it. */
const [BEGIN, END] = [`${ESC}?2026h${ESC}H`, `${ESC}?2026l`];

/** Takes the whole terminal until it is disposed. Nothing is cleared before it is painted over: it never flickers. */
export function openScreen(terminal: Terminal, onResize: () => void): Screen {
  const leave = (): void => void terminal.write(LEAVE);
  terminal.write(ENTER);
  terminal.on('resize', onResize);
  process.once('exit', leave); // also when the process ends for an error that nobody caught
  const columns = (): number => Math.max(20, terminal.columns ?? 80);
  // Behind a full line the cursor stands on its last character: erasing would take that away.
  const whole = (line: string): string => (widthOf(line) < columns() ? `${line}${ESC}K` : line);
  const rows = (): number => Math.max(5, terminal.rows ?? 24);
  const below = (lines: readonly string[]): string => (lines.length < rows() ? `\r\n${ESC}J` : '');
  return {
    get columns() {
      return columns();
    },
    get rows() {
      return rows();
    },
    paint: (lines) => void terminal.write(`${BEGIN}${lines.map(whole).join('\r\n')}${below(lines)}${END}`),
    [Symbol.dispose]: () => {
      terminal.off('resize', onResize);
      process.off('exit', leave);
      leave();
    },
  };
}
