import { systemCodeOf, UserError } from './errors.ts';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such socket',
  ECONNREFUSED: 'nobody listens there',
  ENOTSOCK: 'that is no socket',
  EACCES: 'this user may not open it',
  ECONNRESET: 'the connection broke off',
  EPIPE: 'the connection broke off',
};

interface Deed {
  /** What could not be done, e.g. `list containers`. */
  readonly what: string;
  readonly cause: unknown;
  /** Where the error itself does not say it. */
  readonly socketPath?: string;
}

/**
 * What happened on the way to a container engine, as an error that a user can act on; undefined where something else
 * was thrown.
 */
export function engineUnavailable({ what, cause, socketPath }: Deed): UserError | undefined {
  const code = systemCodeOf(cause);
  const reason = code === undefined ? undefined : (REASONS[code] ?? foreignTongue(code));
  if (reason === undefined) return undefined;
  const address = socketPath ?? (cause as { readonly address?: string }).address;
  return engineSilent({ what, cause, ...(address === undefined ? {} : { socketPath: address }) }, reason);
}

/** The same, for a reason that is known already. */
export function engineSilent({ what, cause, socketPath }: Deed, reason: string): UserError {
  return new UserError({
    code: 'engine-unavailable',
    kind: 'unavailable',
    message: `cannot ${what}: the container engine${socketPath === undefined ? '' : ` on ${socketPath}`} does not answer (${reason})`,
    fix: FIX,
    cause,
  });
}

const FIX =
  'Start that engine; or name another one with `bascule daemon config set engine unix:///PATH` (or --engine), and run `bascule daemon restart`. `bascule doctor` checks it.';

/** Codes of Node's HTTP parser. */
function foreignTongue(code: string): string | undefined {
  return code.startsWith('HPE_') ? 'what listens there does not speak HTTP' : undefined;
}
