import type { AnalysisState, Verdict } from './types.ts';

/** What may be said at this look. `share`: basis points of the requests that go to the candidate from now on. */
export function verdictOf(state: AnalysisState, o: { readonly share: number }): Verdict {
  throw new Error(`not built yet: ${state.settings.alpha} ${o.share}`);
}
