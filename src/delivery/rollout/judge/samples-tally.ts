import type { LossKind, RequestSample } from '../../traffic/index.ts';
import { addDurations, NO_DURATIONS, type Quantiles } from './analysis/index.ts';

/** What became of the requests of one lane. Plain JSON. */
export interface Tally {
  /** Requests that ended, those of clients that left included. */
  readonly requests: number;
  /** Of them: the client left before any answer came. */
  readonly left: number;
  /** Long answers that were cut at the declared drain deadline; absent: none. */
  readonly drained?: number;
  /** 5xx answers of the application itself. */
  readonly appErrors: number;
  /** Requests lost, by kind: refused, reset, truncated, given up by the proxy. */
  readonly losses: Readonly<Record<LossKind, number>>;
  /** Milliseconds until the first byte of the answer. */
  readonly responses: Quantiles;
}

export const NO_LOSSES: Readonly<Record<LossKind, number>> = { refused: 0, reset: 0, truncated: 0, 'proxy-error': 0 };
export const NO_REQUESTS: Tally = { requests: 0, left: 0, appErrors: 0, losses: NO_LOSSES, responses: NO_DURATIONS };

/** Requests that came to nothing: answered 5xx by the application, or lost. 4xx is the client's doing. */
export function failedOf({ appErrors, losses }: Pick<Tally, 'appErrors' | 'losses'>): number {
  return appErrors + Object.values(losses).reduce((sum, count) => sum + count, 0);
}

export function isFailure({ appError, loss }: Pick<RequestSample, 'appError' | 'loss'>): boolean {
  return appError || loss !== undefined;
}

/** The client went away by itself before any answer: nothing is known about the answer but how long it took at least. */
export function hasLeft(sample: Pick<RequestSample, 'status' | 'loss' | 'responseMs' | 'appError'>): boolean {
  return !isFailure(sample) && sample.responseMs < 0;
}

/** The samples are all of one lane. */
export function addSamples(tally: Tally, samples: readonly RequestSample[]): Tally {
  const losses = { ...tally.losses };
  let { left, appErrors } = tally;
  for (const sample of samples) {
    if (sample.loss !== undefined) losses[sample.loss]++;
    else if (sample.appError) appErrors++;
    if (hasLeft(sample)) left++;
  }
  const drained = (tally.drained ?? 0) + samples.filter(({ isDrained }) => isDrained === true).length;
  const durations = samples.flatMap(({ responseMs }) => (responseMs < 0 ? [] : [responseMs]));
  return {
    requests: tally.requests + samples.length,
    left,
    ...(drained === 0 ? {} : { drained }),
    appErrors,
    losses,
    responses: durations.length === 0 ? tally.responses : addDurations(tally.responses, durations),
  };
}
