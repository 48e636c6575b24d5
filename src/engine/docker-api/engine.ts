import type { Log } from '../../lib/log.ts';
import type { Scope } from '../../lib/scope.ts';

export interface EngineOptions {
  readonly scope: Scope;
  readonly log: Log;
  /** Bascule's own version, told by `GET /version`. */
  readonly version: string;
}

/** One line of `bascule doctor` about the engine. */
export interface EngineCheck {
  /** What was looked at, e.g. `runc`, `overlayfs`. */
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  /** What was found. */
  readonly detail: string;
  /** What to do, where something is wrong. */
  readonly fix?: string;
}

export interface Engine {
  /** Serves the Docker Engine API on a unix socket (mode 0660). */
  listen(socketPath: string): Promise<void>;
  /** Stops serving and closes the database; containers run on. */
  close(): Promise<void>;
  /** What `bascule doctor` prints of the engine. */
  check(): Promise<readonly EngineCheck[]>;
}

/**
 * Opens all rooms of the engine over `<root>/engine` and adopts what runs.
 * @throws UserError `engine-running` where another process has this root open
 */
export function createEngine(_options: EngineOptions): Promise<Engine> {
  return Promise.reject(new Error('createEngine is not built yet'));
}
