import type { ModeChange } from '../dockerfile/mode.ts';
import type { DirectoryOptions } from './make-directories.ts';
import type { FileCalls } from './native.ts';

export interface CopyOptions extends DirectoryOptions {
  /** Absolute inside the root. */
  readonly destination: string;
  readonly intoDirectory: boolean;
  /** Undefined: modes stay. */
  readonly mode: ModeChange | undefined;
  /** Seconds since 1970 that all copied files get; undefined: times stay. */
  readonly time: number | undefined;
  readonly calls: FileCalls | undefined;
  readonly signal?: AbortSignal;
}
