/**
 * An error that a user can act on. Everything else that is thrown is a bug.
 * `code` is stable and machine-readable, `message` says what and where, `fix` says what to do.
 * The mapping to an HTTP status or an exit code happens at the edge, by `kind`.
 */
export class UserError extends Error {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly fix: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(init: UserErrorInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.name = 'UserError';
    this.code = init.code;
    this.kind = init.kind;
    this.fix = init.fix;
    this.details = init.details ?? {};
  }
}

/**
 * What went wrong, in terms of who can mend it:
 * `invalid` bad input; `not-found`; `conflict` with the present state; `unavailable` a part that we need is
 * missing or does not answer; `denied` privileges; `failed` the work itself failed (a build step, a health check);
 * `cancelled` by the user; `unsupported` known, but not built yet.
 */
export type ErrorKind =
  | 'invalid'
  | 'not-found'
  | 'conflict'
  | 'unavailable'
  | 'denied'
  | 'failed'
  | 'cancelled'
  | 'unsupported';

export interface UserErrorInit {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly message: string;
  readonly fix: string;
  readonly cause?: unknown;
  readonly details?: Readonly<Record<string, unknown>>;
}

/** Closes a switch over a union: a member that is not handled is a type error. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` of a system error (`ENOENT`, `EADDRINUSE` …), or undefined. */
export function systemCodeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const code = (error as NodeJS.ErrnoException).code;
  return typeof code === 'string' ? code : undefined;
}
