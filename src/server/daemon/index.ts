export { controlDaemon, daemonPaths, type DaemonLaunch, type DaemonPaths } from './control.ts';
export { preflight } from './preflight.ts';
