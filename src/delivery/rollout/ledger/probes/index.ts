export { lostOf, type ProbeFailure, type ProbeKind, type ProbeReport } from './report.ts';
export { startProbes, type RunningProbes } from './start.ts';
export { probeTargets, type ProbeTarget } from './targets.ts';
