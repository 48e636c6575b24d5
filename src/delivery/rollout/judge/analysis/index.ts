export { newAnalysis, observe } from './analysis.ts';
export { addDurations, mergeQuantiles, NO_DURATIONS, quantileOf, type Quantiles } from './quantiles.ts';
export { DEFAULT_ANALYSIS } from './settings.ts';
export { slowThresholdOf, type SlownessFloor } from './slow-threshold.ts';
export type {
  AnalysisSettings,
  AnalysisState,
  Block,
  Metric,
  MetricVerdict,
  Rate,
  SideCounts,
  Verdict,
  VerdictWord,
} from './types.ts';
export { verdictOf } from './verdict.ts';
