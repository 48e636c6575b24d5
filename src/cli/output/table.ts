/**
 * Columns as Docker prints them: upper-case headings, three spaces between, no lines.
 * @param rows each row has as many cells as there are headings
 */
export function renderTable(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = headings.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const render = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === cells.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('   ')
      .trimEnd();
  return [headings, ...rows].map((row) => `${render(row)}\n`).join('');
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

/** Bytes in Docker's decimal units with three digits, e.g. `123MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < UNITS.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${value >= 100 || unit === 0 ? Math.round(value) : value.toPrecision(3)}${UNITS[unit]}`;
}

/** How long ago, in one unit: `5 seconds ago`, `3 hours ago`. */
export function formatAge(at: Date, now: Date): string {
  return `${formatSpan(at, now)} ago`;
}

/** How long from one moment to another, in one unit: `5 seconds`, `3 hours`. */
export function formatSpan(from: Date, to: Date): string {
  const seconds = Math.max(0, Math.round((to.getTime() - from.getTime()) / 1_000));
  const [amount, unit] = inLargestUnit(seconds);
  return `${amount} ${unit}${amount === 1 ? '' : 's'}`;
}

function inLargestUnit(seconds: number): [number, string] {
  if (seconds < 60) return [seconds, 'second'];
  if (seconds < 3_600) return [Math.floor(seconds / 60), 'minute'];
  if (seconds < 86_400) return [Math.floor(seconds / 3_600), 'hour'];
  return [Math.floor(seconds / 86_400), 'day'];
}
