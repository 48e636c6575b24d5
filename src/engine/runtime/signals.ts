import { constants } from 'node:os';
import { invalidSignal } from './errors.ts';

const NUMBERS: Readonly<Record<string, number>> = { ...constants.signals };
const FIRST_REALTIME = 34;
const LAST_REALTIME = 64;

/**
 * The number of `SIGTERM`, `term`, `15` or `RTMIN+3`.
 * @throws UserError `signal-invalid`
 */
export function signalNumber(signal: string): number {
  const text = signal.toUpperCase().replace(/^SIG/, '');
  const number = /^\d+$/.test(text) ? Number(text) : (NUMBERS[`SIG${text}`] ?? realtimeNumber(text));
  if (number === undefined || number < 1 || number > LAST_REALTIME) throw invalidSignal(signal);
  return number;
}

function realtimeNumber(text: string): number | undefined {
  const match = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(text);
  if (match === null) return undefined;
  const offset = Number(match[3] ?? 0) * (match[2] === '-' ? -1 : 1);
  return (match[1] === 'MIN' ? FIRST_REALTIME : LAST_REALTIME) + offset;
}
