import { join } from 'node:path';
import { scopeOf } from '../../lib/scope.ts';

/** Where the daemon of a root has its sockets and files. */
export interface DaemonPaths {
  readonly apiSocket: string;
  readonly engineSocket: string;
  readonly pidFile: string;
  readonly logFile: string;
  /** What the daemon reads when it starts; see `configuration/`. */
  readonly configFile: string;
}

export function daemonPaths(root: string): DaemonPaths {
  const { runDirectory, root: absolute } = scopeOf(root);
  return {
    apiSocket: join(runDirectory, 'api.sock'),
    engineSocket: join(runDirectory, 'engine.sock'),
    pidFile: join(runDirectory, 'daemon.pid'),
    logFile: join(absolute, 'daemon.log'),
    configFile: join(absolute, 'config.yaml'),
  };
}
