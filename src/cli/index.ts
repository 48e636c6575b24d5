export type { DaemonControl, DaemonOptions, Host, RegistryLaunch } from './host.ts';
export { runCli } from './program.ts';
