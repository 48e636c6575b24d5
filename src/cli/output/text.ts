import { stripVTControlCharacters } from 'node:util';
import { formatDuration } from '../../lib/duration.ts';

const CONTROL = /\p{Cc}+/gu;
/** Marks that stand on the character before, and characters that terminals show two columns wide. */
const NARROW = /^[\p{Mn}\p{Me}\p{Cf}]$/u;
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]$/u;
const COLOUR_OR_CHARACTER = /\p{Cc}\[[\d;]*m|./gsu;

/** What somebody else wrote, as one line that cannot steer the terminal. */
export function inert(text: string): string {
  return stripVTControlCharacters(text).replace(CONTROL, ' ').trim();
}

/** All control characters but tabs and line feeds. */
const STEERING = /[^\P{Cc}\t\n]/gu;

/** What somebody else wrote, in the lines that it has: it cannot steer the terminal. */
export function inertLines(text: string): string {
  return stripVTControlCharacters(text).replace(STEERING, ' ');
}

/** Columns that a text takes in a terminal; colours take none. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(text)) width += columnsOf(character);
  return width;
}

function columnsOf(character: string): number {
  if (NARROW.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** The text, cut with `…` where it is wider than `columns`; colours stay, and end. */
export function clip(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let [kept, width, isColoured] = ['', 0, false];
  for (const [part] of text.matchAll(COLOUR_OR_CHARACTER)) {
    const isColour = part.startsWith('\u001b');
    width += isColour ? 0 : columnsOf(part);
    if (width > columns - 1) break;
    isColoured ||= isColour;
    kept += part;
  }
  return `${kept}…${isColoured ? '\u001b[0m' : ''}`;
}

export function padEnd(text: string, columns: number): string {
  return text + ' '.repeat(Math.max(0, columns - widthOf(text)));
}

export function padStart(text: string, columns: number): string {
  return ' '.repeat(Math.max(0, columns - widthOf(text))) + text;
}

/** Plain text in lines of at most `columns`, broken at blanks where there are any. */
export function wrap(text: string, columns: number): readonly string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`;
    if (widthOf(longer) <= columns) line = longer;
    else {
      if (line !== '') lines.push(line);
      line = word;
    }
  }
  return [...lines, line].map((each) => clip(each, columns));
}

/** `12,345`, `40.2`: one digit behind the point below 100 where there is a fraction. */
export function formatNumber(value: number): string {
  const text = Number.isInteger(value) || value >= 100 ? String(Math.round(value)) : value.toFixed(1);
  return text.replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Basis points: `25 %`, `0.5 %`. */
export function formatWeight(points: number): string {
  return `${points / 100} %`;
}

/** A part of 1 with two digits that mean something: `0.12 %`, `4.9 %`, `37 %`. */
export function formatShare(share: number): string {
  const percent = share * 100;
  if (percent === 0 || percent >= 99.95) return `${Math.round(percent)} %`;
  return `${percent.toFixed(percent >= 10 ? 0 : percent >= 1 ? 1 : 2)} %`;
}

/** Milliseconds for a table: `4.2 ms`, `48 ms`, `1.3 s`. */
export function formatMs(ms: number | undefined): string {
  if (ms === undefined) return '-';
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** A duration in whole seconds, for what is looked at while it passes: `48 s`, `2 min`, `1 min 12 s`. */
export function formatSeconds(ms: number): string {
  return formatDuration(Math.round(ms / 1_000) * 1_000)
    .replace(/^0 ms$/, '0 s')
    .replace('.0 s', ' s')
    .replace(/(?<=n) 0 s$/, '');
}
