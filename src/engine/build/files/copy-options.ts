import type { NewFile } from '../../image/index.ts';
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
  /** Takes over files in folders that nothing is in, where there are many: they are made as the layer is sealed. */
  readonly later?: LaterFiles;
  readonly signal?: AbortSignal;
}

export interface LaterFiles {
  /** A file of an earlier layer that is the same in all things, on this host. Asked before the attributes are known. */
  twinOf?(file: NewFile, source: string): string | undefined;
  /** Hears of a file without attributes that has no twin: it is copied. */
  copies?(file: NewFile, source: string): void;
  take(files: readonly NewFile[]): void;
}
