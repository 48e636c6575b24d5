import { messageOf } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';

/** Notices when somebody else changes or removes our rules (`nft flush ruleset`), and has them put back. */
export interface KernelWatch {
  start(): void;
  /** Until the next `start()`. */
  pause(): void;
}

/** One question to the kernel takes 3 ms. */
const LOOK_EVERY_MS = 3_000;

export function watchKernel(o: {
  readonly log: Log;
  /** Puts the rules back when they are not what they were; true when it did. */
  repair(): Promise<boolean>;
}): KernelWatch {
  let timer: NodeJS.Timeout | undefined;
  const look = async (): Promise<void> => {
    try {
      if (await o.repair()) o.log.warn({}, 'somebody changed our rules of the kernel: put back');
    } catch (error) {
      o.log.error({ error: messageOf(error) }, 'the rules of the kernel could not be put back');
    }
    if (timer !== undefined) timer = setTimeout(() => void look(), LOOK_EVERY_MS).unref();
  };
  return {
    start() {
      timer ??= setTimeout(() => void look(), LOOK_EVERY_MS).unref();
    },
    pause() {
      clearTimeout(timer);
      timer = undefined;
    },
  };
}
