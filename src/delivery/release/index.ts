export { type FilePlacement, type FileStore, openFileStore } from './files.ts';
export { frozenModel } from './freeze.ts';
export { identitiesOf, type ServiceIdentity } from './identity.ts';
export type { FileVersion, NewRelease, Release, ReleasedService, Releases, ReleaseState } from './release.ts';
export { openReleases } from './releases.ts';
