import { html, type Html, trusted } from './html.ts';

/** Points of a line; y is undefined where nothing is known, and the line is interrupted. */
export interface Line {
  readonly label: string;
  /** Classes of the stylesheet: what the line looks like. */
  readonly look: string;
  readonly points: readonly (readonly [x: number, y: number | undefined])[];
}

export interface Mark {
  readonly x: number;
  readonly label: string;
}

export interface Limit {
  readonly y: number;
  readonly label: string;
  readonly look: string;
}

export interface Chart {
  readonly title: string;
  /** One sentence for those who cannot see it. */
  readonly description: string;
  readonly from: number;
  readonly to: number;
  readonly lines: readonly Line[];
  readonly marks: readonly Mark[];
  readonly limits?: readonly Limit[];
  /** Where something was lost. */
  readonly losses?: readonly { readonly x: number; readonly label: string }[];
  /** Between the lowest and the highest value; default 0 and what the lines need. */
  readonly bottom?: number;
  readonly top?: number;
  formatY(value: number): string;
}

const WIDTH = 760;
const HEIGHT = 190;
const PLOT = { left: 52, right: 18, top: 22, bottom: 22 };
const LABEL_ROOM = 46;

interface Scales {
  x(value: number): number;
  y(value: number): number;
}

/** A chart of lines over time, as inline SVG. */
export function renderChart(chart: Chart): Html {
  const bottom = chart.bottom ?? 0;
  const highest = Math.max(0, ...chart.lines.flatMap(({ points }) => points.map(([, y]) => y ?? 0)));
  const ticks = ticksOf(bottom, chart.top ?? (highest === 0 ? 1 : highest * 1.08), 4);
  const top = Math.max(chart.top ?? 0, ticks.at(-1) ?? 1);
  const scales: Scales = {
    x: (value) =>
      round(PLOT.left + ((value - chart.from) / (chart.to - chart.from || 1)) * (WIDTH - PLOT.left - PLOT.right)),
    y: (value) =>
      round(HEIGHT - PLOT.bottom - ((value - bottom) / (top - bottom || 1)) * (HEIGHT - PLOT.top - PLOT.bottom)),
  };
  return html`<figure>
    <figcaption><strong>${chart.title}</strong> ${chart.lines.map(keyOf)}</figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${chart.title}: ${chart.description}">
      ${renderGrid(ticks, chart, scales)}${renderTimes(chart, scales)}${renderMarks(chart.marks, scales)}
      ${(chart.limits ?? []).map((limit) => renderLimit(limit, scales))}
      ${chart.lines.map((line) => renderLine(line, scales))}
      ${(chart.losses ?? []).map(({ x, label }) => html`<rect class="lost" x="${scales.x(x) - 1.5}" y="${HEIGHT - PLOT.bottom - 8}" width="3" height="8"><title>${label}</title></rect>`)}
    </svg>
  </figure>`;
}

function renderGrid(ticks: readonly number[], { formatY }: Chart, { y }: Scales): readonly Html[] {
  return ticks.map(
    (tick) =>
      html`<line class="grid" x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${y(tick)}" y2="${y(tick)}" /><text
          x="${PLOT.left - 6}"
          y="${y(tick) + 4}"
          text-anchor="end"
          >${formatY(tick)}</text
        >`,
  );
}

/** Seconds since the rollout began. */
function renderTimes({ from, to }: Chart, { x }: Scales): readonly Html[] {
  const base = HEIGHT - PLOT.bottom;
  const axis = html`<line class="axis" x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${base}" y2="${base}" />`;
  const stepMs = timeStep(to - from);
  const count = Math.floor((to - from) / stepMs);
  const times = Array.from({ length: count + 1 }, (_, index) => from + index * stepMs);
  return [
    axis,
    ...times.map(
      (time) => html`<text x="${x(time)}" y="${HEIGHT - 6}" text-anchor="middle">${elapsed(time - from)}</text>`,
    ),
  ];
}

function renderMarks(marks: readonly Mark[], { x }: Scales): readonly Html[] {
  let free = -Infinity;
  return marks
    .toSorted((a, b) => a.x - b.x)
    .map(({ x: at, label }) => {
      const left = Math.min(x(at) + 3, WIDTH - LABEL_ROOM);
      const isShown = left >= free;
      if (isShown) free = left + 8 + label.length * 6;
      const text = isShown ? html`<text x="${left}" y="${PLOT.top - 8}">${label}</text>` : html``;
      return html`<line class="mark" x1="${x(at)}" x2="${x(at)}" y1="${PLOT.top - 6}" y2="${HEIGHT - PLOT.bottom}"
          ><title>${label}</title></line
        >${text}`;
    });
}

function renderLimit({ y: value, label, look }: Limit, { y }: Scales): Html {
  return html`<line
      class="limit ${look}"
      x1="${PLOT.left}"
      x2="${WIDTH - PLOT.right}"
      y1="${y(value)}"
      y2="${y(value)}"
    /><text x="${PLOT.left + 4}" y="${y(value) - 4}">${label}</text>`;
}

/** What stands alone between two gaps is a dot: a line of it could not be seen. */
function renderLine({ look, points }: Line, scales: Scales): Html {
  const runs: (readonly [number, number])[][] = [[]];
  for (const [x, y] of points) {
    if (y === undefined) runs.push([]);
    else runs.at(-1)!.push([scales.x(x), scales.y(y)]);
  }
  const path = runs
    .filter((run) => run.length > 1)
    .map((run) => `M${run.map(([x, y]) => `${x} ${y}`).join('L')}`)
    .join('');
  const side = look.split(' ')[0] ?? '';
  const dots = runs
    .filter((run) => run.length === 1)
    .map(([[x, y] = [0, 0]]) => html`<circle class="dot ${side}" cx="${x}" cy="${y}" r="3" />`);
  return html`<path class="line ${look}" d="${path}" />${dots}`;
}

function keyOf({ label, look }: Line): Html {
  return html`<span class="key"
    ><svg viewBox="0 0 28 10" aria-hidden="true"><path class="line ${look}" d="M1 5H27" /></svg>${label}</span
  >`;
}

/** Round numbers from `low` to beyond `high`. */
export function ticksOf(low: number, high: number, about: number): readonly number[] {
  const rough = (high - low) / about || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  const count = Math.max(1, Math.ceil(high / step) - first);
  return Array.from({ length: count + 1 }, (_, index) => Number(((first + index) * step).toPrecision(12)));
}

const TIME_STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 21_600, 43_200, 86_400];

function timeStep(spanMs: number): number {
  const seconds =
    TIME_STEPS_S.find((each) => spanMs / (each * 1_000) <= 12) ?? 86_400 * Math.ceil(spanMs / 86_400_000 / 12);
  return seconds * 1_000;
}

/** `0`, `45 s`, `2:30 min`, `3:05 h`. */
export function elapsed(ms: number): string {
  const seconds = Math.round(ms / 1_000);
  const pair = (a: number, b: number): string => (b === 0 ? String(a) : `${a}:${String(b).padStart(2, '0')}`);
  if (seconds === 0) return '0';
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${pair(Math.floor(seconds / 60), seconds % 60)} min`;
  return `${pair(Math.floor(seconds / 3_600), Math.floor((seconds % 3_600) / 60))} h`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Boxes between two heights: which side had which part. `parts` sum to 1 at each x. */
export interface Shares {
  readonly title: string;
  readonly description: string;
  readonly from: number;
  readonly to: number;
  readonly stepMs: number;
  readonly names: readonly { readonly name: string; readonly look: string }[];
  readonly points: readonly { readonly x: number; readonly parts: readonly number[] }[];
  /** What was asked for: of the last name, from each x on. */
  readonly wanted: readonly (readonly [x: number, part: number])[];
  readonly marks: readonly Mark[];
}

export function renderShares(shares: Shares): Html {
  const chart: Chart = { ...shares, lines: [], formatY: (value) => `${Math.round(value * 100)} %` };
  const scales: Scales = {
    x: (value) =>
      round(PLOT.left + ((value - shares.from) / (shares.to - shares.from || 1)) * (WIDTH - PLOT.left - PLOT.right)),
    y: (value) => round(HEIGHT - PLOT.bottom - value * (HEIGHT - PLOT.top - PLOT.bottom)),
  };
  const keys = shares.names.map(
    ({ name, look }) =>
      html`<span class="key"
        ><svg viewBox="0 0 28 10" aria-hidden="true"><rect class="area ${look}" width="28" height="10" /></svg
        >${name}</span
      >`,
  );
  const wantedKey =
    shares.wanted.length === 0
      ? ''
      : html`<span class="key"
          ><svg viewBox="0 0 28 10" aria-hidden="true"><path class="weight" d="M1 5H27" /></svg>weight that was
          set</span
        >`;
  return html`<figure>
    <figcaption><strong>${shares.title}</strong> ${keys}${wantedKey}</figcaption>
    <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${shares.title}: ${shares.description}">
      ${renderGrid([0, 0.25, 0.5, 0.75, 1], chart, scales)}${renderTimes(chart, scales)}${renderMarks(shares.marks, scales)}
      ${shares.names.map(({ look }, index) => trusted(`<path class="area ${look}" d="${boxes(shares, index, scales)}"/>`))}
      <path class="weight" d="${stairs(shares, scales)}" />
    </svg>
  </figure>`;
}

function boxes({ points, stepMs, to }: Shares, index: number, { x, y }: Scales): string {
  return points
    .map(({ x: at, parts }) => {
      // From the top down: the last one stands on the ground.
      const above = 1 - parts.slice(0, index).reduce((sum, part) => sum + part, 0);
      const part = parts[index] ?? 0;
      if (part === 0) return '';
      const [left, right] = [x(at), x(Math.min(to, at + stepMs))];
      return `M${left} ${y(above)}H${right}V${y(above - part)}H${left}Z`;
    })
    .join('');
}

function stairs({ wanted, stepMs, to }: Shares, { x, y }: Scales): string {
  const path = wanted
    .map(([at, part], index) => (index === 0 ? `M${x(at)} ${y(part)}` : `H${x(at)}V${y(part)}`))
    .join('');
  const last = wanted.at(-1)?.[0] ?? to;
  return path === '' ? '' : `${path}H${x(Math.min(to, last + stepMs))}`;
}
