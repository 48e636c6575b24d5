/** Charts as text: a few marks on two axes, readable on light and on dark paper. */
export interface Chart {
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly marks: readonly Mark[];
  /** Names side by side in the legend; 2 when absent. */
  readonly legendColumns?: number;
}

export interface Axis {
  readonly label: string;
  readonly scale: 'linear' | 'log';
  readonly min: number;
  readonly max: number;
  readonly ticks: readonly Tick[];
}

export interface Tick {
  readonly at: number;
  readonly label: string;
}

export type Point = readonly [x: number, y: number];

export type Mark =
  | {
      readonly kind: 'line';
      readonly name?: string;
      readonly colour: Colour;
      readonly points: readonly Point[];
      /** `plain`: with a dot at each point. */
      readonly look?: 'dashed' | 'thin' | 'plain' | 'bare';
    }
  | {
      readonly kind: 'band';
      readonly name?: string;
      readonly colour: Colour;
      readonly edges: readonly (readonly [x: number, low: number, high: number])[];
    }
  | {
      readonly kind: 'interval';
      readonly name?: string;
      readonly colour: Colour;
      readonly points: readonly (readonly [x: number, y: number, low: number, high: number])[];
    }
  | { readonly kind: 'level'; readonly at: number; readonly label: string };

/** Okabe and Ito's, which people with colour blindness can tell apart. */
const COLOURS = {
  blue: ['#0072b2', '#5eb8ee'],
  orange: ['#d55e00', '#ff9a4d'],
  green: ['#00835f', '#3fd1a5'],
  pink: ['#b8568c', '#e79cc6'],
  yellow: ['#a97500', '#f0c04a'],
  sky: ['#2a8fc7', '#9bd4f5'],
  red: ['#a3241f', '#ff7b72'],
  black: ['#24292f', '#e6edf3'],
  grey: ['#6a6a6a', '#b5b5b5'],
} as const;
export type Colour = keyof typeof COLOURS;

const WIDTH = 760;
const BOX = { left: 74, right: 20, top: 40, height: 340, bottom: 56 };
const LEGEND_ROW = 20;

export function renderChart(chart: Chart): string {
  const names = chart.marks.flatMap((mark) => (mark.kind === 'level' || mark.name === undefined ? [] : [mark]));
  const columns = chart.legendColumns ?? 2;
  const legend = Math.ceil(names.length / columns) * LEGEND_ROW;
  const height = BOX.top + legend + BOX.height + BOX.bottom;
  const place = placer(chart, BOX.top + legend);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="${escape(chart.title)}">`,
    `<style>${style()}</style>`,
    `<rect class="paper" width="${WIDTH}" height="${height}"/>`,
    `<text class="title" x="${BOX.left}" y="24">${escape(chart.title)}</text>`,
    ...names.map((mark, index) => renderName(mark, { index, columns })),
    ...renderAxes(chart, place),
    ...chart.marks.map((mark) => renderMark(mark, place)),
    '</svg>',
    '',
  ].join('\n');
}

interface Place {
  readonly x: (value: number) => number;
  readonly y: (value: number) => number;
  readonly top: number;
  readonly bottom: number;
  readonly right: number;
}

function placer({ x, y }: Chart, top: number): Place {
  const [right, bottom] = [WIDTH - BOX.right, top + BOX.height];
  return {
    x: (value) => round(BOX.left + fraction(x, value) * (right - BOX.left)),
    y: (value) => round(bottom - fraction(y, value) * BOX.height),
    top,
    bottom,
    right,
  };
}

function fraction(axis: Axis, value: number): number {
  const bounded = Math.min(axis.max, Math.max(axis.min, value));
  return axis.scale === 'linear'
    ? (bounded - axis.min) / (axis.max - axis.min)
    : Math.log(bounded / axis.min) / Math.log(axis.max / axis.min);
}

function renderAxes({ x, y }: Chart, place: Place): readonly string[] {
  const middle = (place.top + place.bottom) / 2;
  return [
    ...y.ticks.map(({ at, label }) => {
      const height = place.y(at);
      return `<path class="grid" d="M${BOX.left} ${height}H${place.right}"/><text class="tick" x="${BOX.left - 8}" y="${height + 4}" text-anchor="end">${escape(label)}</text>`;
    }),
    ...x.ticks.map(({ at, label }) => {
      const lines = label
        .split('\n')
        .map((line, row) => `<tspan x="${place.x(at)}" dy="${row === 0 ? 0 : 14}">${escape(line)}</tspan>`);
      return `<path class="grid" d="M${place.x(at)} ${place.top}V${place.bottom}"/><text class="tick" y="${place.bottom + 16}" text-anchor="middle">${lines.join('')}</text>`;
    }),
    `<path class="frame" d="M${BOX.left} ${place.top}V${place.bottom}H${place.right}"/>`,
    `<text class="label" x="${(BOX.left + place.right) / 2}" y="${place.bottom + 46}" text-anchor="middle">${escape(x.label)}</text>`,
    `<text class="label" transform="rotate(-90)" x="${-middle}" y="18" text-anchor="middle">${escape(y.label)}</text>`,
  ];
}

function renderMark(mark: Mark, place: Place): string {
  switch (mark.kind) {
    case 'line': {
      const look = mark.look ?? 'plain';
      const dots = look === 'plain' ? mark.points.map((point) => dot(point, mark.colour, place)) : [];
      return `<path class="line ${mark.colour} ${look}" d="${pathOf(mark.points, place)}"/>${dots.join('')}`;
    }
    case 'band': {
      const upper = mark.edges.map(([x, , high]): Point => [x, high]);
      const lower = mark.edges.map(([x, low]): Point => [x, low]).toReversed();
      return `<path class="band ${mark.colour}" d="${pathOf([...upper, ...lower], place)}Z"/>`;
    }
    case 'interval':
      return mark.points
        .map(([x, y, low, high]) => {
          const bar = `<path class="line ${mark.colour}" d="M${place.x(x)} ${place.y(low)}V${place.y(high)}"/>`;
          return bar + dot([x, y], mark.colour, place);
        })
        .join('');
    case 'level':
      return `<path class="level" d="M${BOX.left} ${place.y(mark.at)}H${place.right}"/><text class="tick strong" x="${place.right - 4}" y="${place.y(mark.at) - 5}" text-anchor="end">${escape(mark.label)}</text>`;
  }
}

function dot([x, y]: Point, colour: Colour, place: Place): string {
  return `<circle class="dot ${colour}" cx="${place.x(x)}" cy="${place.y(y)}" r="3.5"/>`;
}

function pathOf(points: readonly Point[], place: Place): string {
  return points.map(([x, y], index) => `${index === 0 ? 'M' : 'L'}${place.x(x)} ${place.y(y)}`).join('');
}

function renderName(
  mark: Exclude<Mark, { kind: 'level' }>,
  { index, columns }: { readonly index: number; readonly columns: number },
): string {
  const column = (WIDTH - BOX.left - BOX.right) / columns;
  const x = round(BOX.left + (index % columns) * column);
  const y = BOX.top + Math.floor(index / columns) * LEGEND_ROW;
  const look = mark.kind === 'line' && mark.look === 'dashed' ? 'dashed' : '';
  const key =
    mark.kind === 'band'
      ? `<rect class="band ${mark.colour}" x="${x}" y="${y - 5}" width="22" height="10"/>`
      : `<path class="line ${mark.colour} ${look}" d="M${x} ${y}h22"/>`;
  return `${key}<text class="tick" x="${x + 28}" y="${y + 4}">${escape(mark.name ?? '')}</text>`;
}

function style(): string {
  const colours = (variant: 0 | 1) =>
    Object.entries(COLOURS)
      .map(([name, pair]) => `.line.${name}{stroke:${pair[variant]}}.dot.${name},.band.${name}{fill:${pair[variant]}}`)
      .join('');
  return [
    'text{font:12px system-ui,sans-serif;fill:#24292f}.title{font-size:15px;font-weight:600}.strong{font-weight:600}',
    '.paper{fill:#fff}.grid{stroke:#d8dee4;stroke-width:.7}.frame{stroke:#57606a;fill:none}',
    '.line{fill:none;stroke-width:2}.dashed{stroke-dasharray:6 4}.thin{stroke-width:.9;opacity:.6}.band{opacity:.18}',
    `.level{stroke:#24292f;stroke-width:1.3;stroke-dasharray:3 3}${colours(0)}`,
    '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.paper{fill:#0d1117}.grid{stroke:#30363d}.frame{stroke:#8b949e}',
    `.level{stroke:#e6edf3}${colours(1)}}`,
  ].join('');
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
