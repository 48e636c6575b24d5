import { UserError } from '../../../lib/errors.ts';

export interface ProxyVersion {
  readonly major: number;
  readonly minor: number;
  /** As the program says it: `2.6.12-1+deb12u4`. */
  readonly text: string;
}

/**
 * Reads what `haproxy -v` prints.
 * @throws UserError `haproxy-unsupported` before 2.4, which cannot add servers at run time
 */
export function parseVersion(output: string): ProxyVersion {
  const [, text = '', major, minor] = /version ((\d+)\.(\d+)\S*)/i.exec(output) ?? [];
  const version = { major: Number(major), minor: Number(minor), text };
  if (isAtLeast(version, 2, 4)) return version;
  throw new UserError({
    code: 'haproxy-unsupported',
    kind: 'unavailable',
    message: `HAProxy 2.4 or newer is needed; this one says: ${output.split('\n', 1)[0] ?? ''}`,
    fix: 'Install the package `haproxy` of Debian 12, Ubuntu 22.04 or newer.',
  });
}

export function isAtLeast(version: ProxyVersion, major: number, minor: number): boolean {
  return version.major > major || (version.major === major && version.minor >= minor);
}
