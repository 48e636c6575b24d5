/** A file that was parsed, and the folder that its relative paths are resolved against. */
export interface Source {
  readonly path: string;
  /** What people see in messages: relative to the project directory where it lies inside. */
  readonly label: string;
  readonly directory: string;
}

export interface Position {
  readonly source: Source;
  /** Both from 1. */
  readonly line: number;
  readonly column: number;
}
