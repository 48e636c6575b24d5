import { invalidParameter } from './http-errors.ts';
import { compareVersions } from './router.ts';

/** The newest version of the Docker Engine API that is spoken: that of Docker 28.5. Older clients get their own. */
export const API_VERSION = '1.51';
export const OLDEST_API_VERSION = '1.24';

/** Whether a client speaks a version in which something has come. */
export function speaksAtLeast({ apiVersion }: { readonly apiVersion: string }, version: string): boolean {
  return compareVersions(apiVersion, version) >= 0;
}

/** @throws UserError `invalid-parameter` with Docker's own words, which clients use to negotiate */
export function checkApiVersion(version: string | undefined): void {
  if (version === undefined) return;
  if (compareVersions(version, API_VERSION) > 0) {
    throw invalidParameter(
      `client version ${version} is too new. Maximum supported API version is ${API_VERSION}`,
      `Set DOCKER_API_VERSION=${API_VERSION} for the client.`,
    );
  }
  if (compareVersions(version, OLDEST_API_VERSION) < 0) {
    throw invalidParameter(
      `client version ${version} is too old. Minimum supported API version is ${OLDEST_API_VERSION}, please upgrade your client to a newer version`,
      'Upgrade the client.',
    );
  }
}
