import type { AnalysisSettings, Metric, MetricVerdict, Rate } from './types.ts';

const HIT: Readonly<Record<Metric, string>> = { errors: 'failed', slow: 'were slow' };

/** One plain sentence for people. */
export function reasonOf(said: Omit<MetricVerdict, 'reason'>, settings: AnalysisSettings): string {
  const seen = `${sayRate(said.candidate)} ${HIT[said.metric]} on the candidate, ${sayRate(said.stable)} on stable`;
  return `${seen}: ${conclusionOf(said, settings)}`;
}

function conclusionOf(said: Omit<MetricVerdict, 'reason'>, settings: AnalysisSettings): string {
  const { worse, notWorse, thresholds } = said;
  const margin = `${sayPoints(settings.delta[said.metric])} percentage points`;
  switch (said.verdict) {
    case 'fail':
      return `worse, with evidence of ${sayOdds(worse)} (needed: ${sayOdds(thresholds.worse)})`;
    case 'pass':
      return `not worse by more than ${margin}, with evidence of ${sayOdds(notWorse)} (needed: ${sayOdds(thresholds.notWorse)})`;
    case 'insufficient':
      return `too little to decide${sayNeeded(said.stillNeeded)}`;
  }
}

function sayNeeded(requests: number | undefined): string {
  if (requests === undefined) return ', and no end in sight with this traffic';
  return `, about ${sayNumber(requests)} more requests to the candidate are needed`;
}

function sayRate({ hits, requests }: Rate): string {
  if (requests === 0) return 'none of 0 requests';
  return `${sayNumber(hits)} of ${sayNumber(requests)} requests (${sayPercent(hits / requests)})`;
}

function sayPercent(fraction: number): string {
  return `${sayPoints(fraction)} %`;
}

function sayPoints(fraction: number): number {
  return Number((fraction * 100).toPrecision(2));
}

function sayOdds(log10: number): string {
  return log10 > 6 ? 'more than 1,000,000 to 1' : `${sayNumber(Math.round(10 ** Math.max(0, log10)))} to 1`;
}

function sayNumber(value: number): string {
  return value.toLocaleString('en-US');
}
