export { createBuilder } from './builder.ts';
export type {
  BuildContext,
  Builder,
  BuilderOptions,
  BuildEvent,
  BuildOutput,
  BuildRegistry,
  BuildRequest,
  BuildResult,
  CacheExport,
  CacheImport,
  CacheRecord,
  FileOwner,
  NamedContext,
  PruneCacheOptions,
  RegistryDocument,
} from './face.ts';
