export { controlConfiguration } from './configuration-control.ts';
export { controlDaemon, type DaemonLaunch } from './control.ts';
export { daemonPaths, type DaemonPaths } from './paths.ts';
export { preflight } from './preflight.ts';
export { keepEngine } from './steady-engine.ts';
export { keepMemoryTidy } from './tidy-memory.ts';
