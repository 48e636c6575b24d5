import { readFileSync } from 'node:fs';

/** A process that is told from a later one with the same number: by its start, in clock ticks since boot. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTicks: number;
}

/** Undefined where no such process lives; a zombie does not. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name, in parentheses, may hold anything: what follows the last one counts (proc(5)).
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, startTicks: Number(fields[19]) };
  } catch {
    return undefined;
  }
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTicks === identity.startTicks;
}

/** Whether the signal was sent; false where the process is gone. */
export function sendSignal(identity: ProcessIdentity, signal: number): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    return false;
  }
}
