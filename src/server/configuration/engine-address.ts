import { UserError } from '../../lib/errors.ts';

/** Bascule's own engine, in the daemon itself. */
export const EMBEDDED = 'embedded';

/** `embedded`, or the absolute path of a unix socket with or without `unix://`. */
export const ENGINE_PATTERN = /^(?:embedded|(?:unix:\/\/)?\/.+)$/;

/**
 * The one way to write an engine: `embedded` or `unix:///path`.
 * @throws UserError `invalid-engine`
 */
export function engineAddressOf(text: string): string {
  if (!ENGINE_PATTERN.test(text)) throw invalidEngine(text);
  return text.startsWith('/') ? `unix://${text}` : text;
}

/** The path of an engine's socket; undefined for the embedded engine. @throws UserError `invalid-engine` */
export function engineSocketOf(text: string): string | undefined {
  const address = engineAddressOf(text);
  return address === EMBEDDED ? undefined : address.slice('unix://'.length);
}

function invalidEngine(text: string): UserError {
  return new UserError({
    code: 'invalid-engine',
    kind: 'invalid',
    message: `"${text}" is not an engine's socket`,
    fix: 'Name a unix socket on this machine, e.g. unix:///var/run/docker.sock, or `embedded` for the engine that is built in.',
  });
}
