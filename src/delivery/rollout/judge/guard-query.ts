import { messageOf } from '../../../lib/errors.ts';
import type { QueryGuard } from '../../compose/index.ts';
import type { Answer } from './guard-state.ts';

const LONGEST_MS = 10_000;

/**
 * Asks a Prometheus server for the value of a query at this moment (HTTP API, "Instant queries"). What cannot be had
 * is unknown, never well.
 */
export async function askPrometheus(guard: QueryGuard, signal: AbortSignal): Promise<Answer> {
  const limit = AbortSignal.timeout(Math.min(LONGEST_MS, Math.max(1_000, guard.intervalMs)));
  try {
    const response = await fetch(queryAddress(guard), { signal: AbortSignal.any([signal, limit]), redirect: 'error' });
    const body: unknown = await response.json().catch(() => undefined);
    if (!response.ok) return unknown(`${guard.prometheus} answered ${response.status}${errorIn(body)}`);
    return readAnswer(body, guard);
  } catch (error) {
    if (limit.aborted) return unknown(`${guard.prometheus} did not answer in time`);
    return unknown(`${guard.prometheus} does not answer: ${reasonOf(error)}`);
  }
}

/** `fetch` hides the reason in the cause. */
function reasonOf(error: unknown): string {
  return error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
}

export function queryAddress({ prometheus, query }: Pick<QueryGuard, 'prometheus' | 'query'>): string {
  const base = new URL(prometheus);
  base.pathname = `${base.pathname.replace(/\/+$/, '')}/api/v1/query`;
  base.searchParams.set('query', query);
  return base.href;
}

/** The value of a scalar, or of all series of a vector the one that is nearest to the limit, or beyond it. */
export function readAnswer(body: unknown, limits: { readonly max?: number; readonly min?: number }): Answer {
  const { status, data } = objectOf(body);
  if (status !== 'success') return unknown(`the answer is no success${errorIn(body)}`);
  const { resultType, result } = objectOf(data);
  if (resultType !== 'vector' && resultType !== 'scalar')
    return unknown(`the query gives a ${String(resultType)}; it must give one value or a vector`);
  const series = resultType === 'scalar' ? [{ value: result }] : listOf(result).map(objectOf);
  if (series.length === 0) return unknown('the query finds no data');
  const values = series.map(({ value }) => numberOf(listOf(value)[1]));
  if (values.some(Number.isNaN)) return unknown('the query gives no number (NaN)');
  const value = worst(values, limits);
  const labels = series.length === 1 ? '' : labelsOf(series[values.indexOf(value)]?.['metric']);
  return { kind: 'value', value, ...(labels === '' ? {} : { detail: `of ${labels}` }) };
}

/** Which of several series it is. */
function labelsOf(metric: unknown): string {
  const labels = Object.entries(objectOf(metric)).filter(([name]) => name !== '__name__');
  return labels
    .map(([name, value]) => `${name}="${String(value)}"`)
    .join(', ')
    .slice(0, 200);
}

function worst(values: readonly number[], { max, min }: { readonly max?: number; readonly min?: number }): number {
  const [highest, lowest] = [Math.max(...values), Math.min(...values)];
  if (max === undefined) return lowest;
  if (min === undefined || highest > max) return highest;
  return lowest < min ? lowest : highest;
}

/** Prometheus writes infinity as `+Inf`. */
function numberOf(text: unknown): number {
  if (typeof text !== 'string') return Number.NaN;
  return /^[+-]?inf/i.test(text) ? (text.startsWith('-') ? -Infinity : Infinity) : Number.parseFloat(text);
}

function errorIn(body: unknown): string {
  const { error } = objectOf(body);
  return typeof error === 'string' ? `: ${error.slice(0, 200)}` : '';
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function unknown(detail: string): Answer {
  return { kind: 'unknown', detail };
}
