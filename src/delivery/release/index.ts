export { type FilePlacement, type FileStore, type NeededFiles, openFileStore } from './files.ts';
export { frozenModel } from './freeze.ts';
export { identitiesOf, type ServiceIdentity } from './identity.ts';
export { type Keyring, openKeyring } from './keyring.ts';
export type { FileVersion, NewRelease, Release, ReleasedService, Releases, ReleaseState } from './release.ts';
export { openReleases } from './releases.ts';
