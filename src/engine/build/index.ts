export { createBuilder } from './builder.ts';
export type {
  BuildContext,
  Builder,
  BuilderOptions,
  BuildEvent,
  BuildRequest,
  CacheRecord,
  PruneCacheOptions,
} from './face.ts';
