import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Between two looks. */
const LOOK_MS = 10_000;

/** What a process has used since the last look, and what it holds. */
export interface MemoryLook {
  /** 0 to 1 of one core. */
  readonly busy: number;
  /** Heap and buffers. */
  readonly bytes: number;
  /** The same when everything was collected last. */
  readonly bytesThen: number;
}

const IDLE_SHARE = 0.1;
/** What is worth a pause of a tenth of a second. */
const WORTH_BYTES = 12 * 2 ** 20;

/** Nothing is going on that a pause would delay, and there may be something to be had. */
export function isWorthTidying({ busy, bytes, bytesThen }: MemoryLook): boolean {
  return busy < IDLE_SHARE && bytes - bytesThen > WORTH_BYTES;
}

/**
 * Gives back what a busy time has left. V8 collects when something is allocated: an idle process keeps its garbage,
 * and the pages of its largest moment, for hours.
 */
export function keepMemoryTidy(lookMs: number = LOOK_MS): Disposable {
  const collect = collector();
  let before = process.cpuUsage();
  let bytesThen = 0;
  const look = (): void => {
    const { user, system } = process.cpuUsage(before);
    before = process.cpuUsage();
    if (!isWorthTidying({ busy: (user + system) / 1_000 / lookMs, bytes: bytesNow(), bytesThen })) return;
    collect();
    bytesThen = bytesNow();
    before = process.cpuUsage();
  };
  const timer = setInterval(look, lookMs).unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function bytesNow(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** V8's own, which Node shows to those only who ask for it; `last-resort` also gives the pages back to the system. */
function collector(): () => void {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (options: { readonly type: 'major'; readonly flavor: 'last-resort' }) => void;
  setFlagsFromString('--no-expose-gc');
  return () => gc({ type: 'major', flavor: 'last-resort' });
}
