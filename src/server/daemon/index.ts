export { controlConfiguration } from './configuration-control.ts';
export { controlDaemon, daemonPaths, type DaemonLaunch, type DaemonPaths } from './control.ts';
export { preflight } from './preflight.ts';
export { keepEngine } from './steady-engine.ts';
export { keepMemoryTidy } from './tidy-memory.ts';
