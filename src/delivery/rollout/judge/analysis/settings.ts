import type { AnalysisSettings } from './types.ts';

/** Why these: docs/analysis.md, "Defaults". */
export const DEFAULT_ANALYSIS: AnalysisSettings = {
  alpha: 0.01,
  beta: 0.05,
  delta: { errors: 0.01, slow: 0.05 },
  tolerance: { errors: 1, slow: 1.2 },
  metrics: ['errors', 'slow'],
  minimumRequests: 50,
  designEffect: { worse: 2, notWorse: 2 },
};
