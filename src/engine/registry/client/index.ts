export type {
  BlobSource,
  Credential,
  FetchedManifest,
  FindCredential,
  FoundRepository,
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
export { createRegistryClient } from './client.ts';
export { parsePlatform } from './platforms.ts';
