import type { TransferEvent } from '../../server/client/index.ts';
import type { Terminal } from '../host.ts';
import type { Style } from './style.ts';
import { formatBytes } from './table.ts';

export interface TransferProgress extends Disposable {
  show(event: TransferEvent): void;
}

const CLEAR_LINE = '\r\u001B[K';
const ENDED = /^(?:Pull complete|Already exists|Pushed|Layer already exists|Mounted from .*)$/;
/** Not every step of every layer is worth a line. */
const MINOR = /^(?:Waiting|Preparing|Downloading|Pushing|Verifying Checksum|Download complete|Extracting)$/;
const BAR_WIDTH = 20;

/** Shows a pull or push: a live last line on a terminal, plain lines elsewhere, events with `--json`. */
export function transferProgressOn(
  terminal: Terminal,
  o: { readonly json: boolean; readonly style: Style },
): TransferProgress {
  if (o.json) return { show: (event) => void terminal.write(`${JSON.stringify(event)}\n`), [Symbol.dispose]: () => {} };
  const isLive = terminal.isTTY === true;
  const layers = new Map<string, TransferEvent>();
  let isPainted = false;
  const clear = (): void => {
    if (isPainted) terminal.write(CLEAR_LINE);
    isPainted = false;
  };
  return {
    show(event) {
      if (event.layer !== undefined) layers.set(event.layer, event);
      clear();
      const line = lineOf(event);
      if (line !== undefined) terminal.write(`${o.style.dim(line)}\n`);
      if (!isLive || layers.size === 0) return;
      terminal.write(summaryOf([...layers.values()]).slice(0, (terminal.columns ?? 80) - 1));
      isPainted = true;
    },
    [Symbol.dispose]: clear,
  };
}

function lineOf({ status, layer }: TransferEvent): string | undefined {
  if (MINOR.test(status)) return undefined;
  return layer === undefined ? status : `${layer}: ${status}`;
}

/** `[=====>     ]  3 of 5 layers, 12.3 MB of 45.6 MB`. */
function summaryOf(layers: readonly TransferEvent[]): string {
  const done = layers.filter(({ status }) => ENDED.test(status)).length;
  const moving = layers.filter(({ totalBytes }) => totalBytes !== undefined);
  const bytes = moving.reduce((sum, layer) => sum + (layer.bytes ?? 0), 0);
  const total = moving.reduce((sum, layer) => sum + (layer.totalBytes ?? 0), 0);
  const share = total > 0 ? bytes / total : done / layers.length;
  const filled = Math.min(BAR_WIDTH, Math.floor(share * BAR_WIDTH));
  const sizes = total > 0 ? `, ${formatBytes(bytes)} of ${formatBytes(total)}` : '';
  return `[${'='.repeat(filled).padEnd(BAR_WIDTH)}]  ${done} of ${layers.length} layers${sizes}`;
}
