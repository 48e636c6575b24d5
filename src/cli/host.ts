import type { Readable, Writable } from 'node:stream';
import type { Override, Setting, SystemCheck } from '../server/client/index.ts';

/** What the CLI needs from the process that it runs in. `main.ts` gives it. */
export interface Host {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  readonly version: string;
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): void };
  readonly stdout: Terminal;
  readonly stderr: Terminal;
  /** Calls back at each Ctrl-C or SIGTERM until disposed; meanwhile they do not end the process. */
  onInterrupt(listener: () => void): Disposable;
  readonly daemon: DaemonControl;
  readonly configuration: ConfigurationControl;
  readonly registry: RegistryControl;
  /** Name of the user who runs this process. */
  readonly userName: string;
  readonly user: { readonly uid: number; readonly gid: number };
  /** What can be told of this machine without a daemon. */
  preflight(root: string): readonly SystemCheck[];
}

/** A stream that may be a terminal. */
export type Terminal = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/** Starting and installing the daemon of one root. */
export interface DaemonControl {
  /** Serves in this process until it is told to stop. */
  run(options: DaemonOptions): Promise<void>;
  /** Starts a detached daemon and waits until it answers. Where one answers already, does nothing. */
  ensure(options: DaemonOptions): Promise<'started' | 'running'>;
  /** Ends it where it runs, and starts it. An engine that is asked for and does not answer is told before. */
  restart(options: DaemonOptions): Promise<void>;
  /** Ends the daemon; containers and traffic go on. False where none ran. */
  stop(root: string): Promise<boolean>;
  status(root: string): Promise<DaemonStatus>;
  /** Writes the systemd unit, and enables and starts it where systemd runs. Gives its path. */
  install(options: DaemonOptions): Promise<string>;
  uninstall(root: string): Promise<boolean>;
  /** Ends the daemon and removes its folders. */
  erase(root: string): Promise<void>;
}

/** What the command line and the environment say, by key: it goes before the file. */
type Overrides = Readonly<Record<string, Override | undefined>>;

/** The configuration file of one root. */
export interface ConfigurationControl {
  /** Every key, its value and where that comes from. */
  list(root: string, overrides: Overrides): Promise<readonly Setting[]>;
  get(root: string, key: string, overrides: Overrides): Promise<Setting>;
  set(root: string, change: { readonly key: string; readonly value: string }): Promise<void>;
  /** False where the file did not say it. */
  unset(root: string, key: string): Promise<boolean>;
}

/** A registry in a process of its own, and who may use the one of a root. */
export interface RegistryControl {
  /** Serves in this process until it is told to stop. */
  serve(launch: RegistryLaunch): Promise<void>;
  /** Adds a user, or changes the password. */
  setPassword(root: string, user: string, password: string): Promise<void>;
  /** False where there is no such user. */
  removeUser(root: string, user: string): Promise<boolean>;
  users(root: string): Promise<readonly string[]>;
}

export interface RegistryLaunch {
  readonly root: string;
  /** `HOST:PORT`; undefined: as the configuration file says. */
  readonly listen: string | undefined;
  readonly logLevel: string;
}

export interface DaemonOptions {
  readonly root: string;
  /** The engine to drive, e.g. `unix:///var/run/docker.sock` or `embedded`; undefined: as the configuration file says. */
  readonly engine: string | undefined;
  readonly logLevel: string;
}

export interface DaemonStatus {
  readonly running: boolean;
  readonly pid: number | undefined;
  readonly root: string;
  readonly apiSocket: string;
  readonly engineSocket: string;
  readonly logFile: string;
  /** What a daemon that runs drives: `embedded`, or the address of another engine. */
  readonly engine?: string;
}
