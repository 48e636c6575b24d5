export type { DaemonControl, DaemonOptions, Host } from './host.ts';
export { runCli } from './program.ts';
