export {
  dependenciesOf,
  filesOf,
  isJob,
  isStateful,
  replicasOf,
  type ServiceIdentity,
  identitiesOf,
} from './identity.ts';
export { type FilePlacement, type FileStore, openFileStore, placedFileName } from './files.ts';
export { openReleases } from './releases.ts';
export { frozenModel } from './freeze.ts';
export type { FileVersion, NewRelease, Release, ReleasedService, Releases, ReleaseState } from './release.ts';
