export type {
  BlobSource,
  Credential,
  FetchedManifest,
  FindCredential,
  PulledImage,
  PullOptions,
  PushedImage,
  RegistryClient,
  RegistryClientOptions,
  RegistrySettings,
  ResolvedImage,
  TransferEvent,
  TransferOptions,
} from './face.ts';
export type { FoundRepository } from './search.ts';
export { createRegistryClient } from './client.ts';
export { parsePlatform } from './platforms.ts';
