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
export { type Dockerfile, type Flag, type Instruction, parseDockerfile } from './dockerfile/parse.ts';
