export type { Authentication } from './auth/access.ts';
export { removeUser, setPassword, userNames } from './auth/password-file.ts';
export type { Action, RightsRule } from './auth/rights.ts';
export type {
  Collected,
  CollectOptions,
  ListenAddress,
  RegistryServer,
  RegistryServerOptions,
  RegistryServerSettings,
  RegistryStatus,
  RepositoryTag,
  StorageSettings,
  TlsFiles,
} from './face.ts';
export { openRegistryServer } from './open.ts';
