import type { AnalysisSettings, AnalysisState, Block } from './types.ts';

/** Nothing seen yet. */
export function newAnalysis(settings: AnalysisSettings): AnalysisState {
  throw new Error(`not built yet: ${settings.alpha}`);
}

/** What both sides answered since the last look. Pure. The weight must have been the same all along the block. */
export function observe(state: AnalysisState, block: Block): AnalysisState {
  throw new Error(`not built yet: ${state.settings.alpha} ${block.stable.requests}`);
}
