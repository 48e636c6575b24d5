import type { TransferEvent } from '../registry/index.ts';

/** One line of the JSON stream of a pull or push (Docker Engine API, `POST /images/create`). */
interface TransferLine {
  readonly status: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
  readonly progress?: string;
}

type LayerEvent = Extract<TransferEvent, { kind: 'layer' }>;

/** A line for each hundredth of a layer is enough for a bar. */
const STEPS = 100;
const BAR_WIDTH = 50;

/** Turns the events of a transfer into Docker's lines, of which its command line draws bars. */
export function createTransferTranscript(o: {
  readonly id: string | undefined;
}): (event: TransferEvent) => readonly TransferLine[] {
  const told = new Map<string, number>();
  return (event) => {
    if (event.kind === 'started') return [{ status: event.text, ...(o.id === undefined ? {} : { id: o.id }) }];
    const id = event.digest.slice('sha256:'.length, 'sha256:'.length + 12);
    const { bytes: current, totalBytes: total } = event;
    if (current === undefined || total === undefined) return linesOf(event).map((line) => ({ ...line, id }));
    const step = total === 0 ? STEPS : Math.floor((current / total) * STEPS);
    if (told.get(id) === step) return [];
    told.set(id, step);
    return linesOf(event).map((line) => ({
      ...line,
      progressDetail: { current, total },
      progress: bar(current, total),
      id,
    }));
  };
}

function linesOf(event: LayerEvent): readonly TransferLine[] {
  return wordsOf(event).map((status) => ({ status, progressDetail: {} }));
}

function wordsOf({ state, detail = '' }: LayerEvent): readonly string[] {
  switch (state) {
    case 'waiting':
      return ['Waiting'];
    case 'exists':
      return ['Already exists'];
    case 'downloading':
      return ['Downloading'];
    case 'downloaded':
      return ['Verifying Checksum', 'Download complete', 'Extracting'];
    case 'unpacked':
      return ['Pull complete'];
    case 'preparing':
      return ['Preparing'];
    case 'uploading':
      return ['Pushing'];
    case 'uploaded':
      return ['Pushed'];
    case 'mounted':
      return [`Mounted from ${detail}`];
    case 'retrying':
      return [`Retrying: ${detail}`];
  }
}

/** For clients that show the text: `[====>    ]  1.2MB/3.4MB`. */
function bar(current: number, total: number): string {
  const filled = total === 0 ? BAR_WIDTH : Math.min(BAR_WIDTH, Math.floor((current / total) * BAR_WIDTH));
  const line = `${'='.repeat(Math.max(0, filled - 1))}>`.padEnd(BAR_WIDTH);
  return `[${line}]  ${sizeText(current)}/${sizeText(total)}`;
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB'];

/** Decimal, four digits, as Docker writes sizes. */
function sizeText(bytes: number): string {
  const unit = bytes < 1_000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${Number((bytes / 1_000 ** unit).toPrecision(4))}${UNITS[unit]}`;
}
