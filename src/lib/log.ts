/** The logger that rooms take: pino's shape, fields first. Values of secrets never go in. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** For tests and pure callers: says nothing. */
export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {} };
