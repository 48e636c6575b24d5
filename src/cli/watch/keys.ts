import type { Host } from '../host.ts';

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

/** Gives single keys as they are pressed; Ctrl-C goes where it always goes. Does nothing without a keyboard. */
export function onKeys(
  stdin: Host['stdin'],
  o: { readonly onKey: (key: string) => void; readonly onInterrupt: () => void },
): Disposable {
  if (stdin.isTTY !== true || stdin.setRawMode === undefined) return { [Symbol.dispose]() {} };
  const take = (data: Buffer): void => {
    const text = data.toString('utf8');
    if (text === CTRL_C) o.onInterrupt();
    else if (text === CTRL_D) o.onKey('q');
    else if (text.length === 1) o.onKey(text); // longer ones are arrows and other sequences
  };
  stdin.setRawMode(true);
  stdin.on('data', take).resume();
  return {
    [Symbol.dispose]: () => {
      stdin.off('data', take).pause();
      stdin.setRawMode?.(false);
    },
  };
}
