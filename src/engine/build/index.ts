export { createBuilder } from './builder.ts';
export type {
  BuildContext,
  Builder,
  BuilderOptions,
  BuildEvent,
  BuildOutput,
  BuildRequest,
  BuildResult,
  CacheExport,
  CacheRecord,
  FileOwner,
  LocalCache,
  NamedContext,
  PruneCacheOptions,
  PullImage,
} from './face.ts';
