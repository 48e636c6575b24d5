export { openReleases } from './releases.ts';
export type { FileVersion, NewRelease, Release, ReleasedService, Releases, ReleaseState } from './release.ts';
