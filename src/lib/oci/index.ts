export { chainIdOf, digestOf, hexOf, isDigest, type Digest } from './digest.ts';
export type { Descriptor, ExecutionConfig, HealthcheckConfig, HistoryEntry, ImageConfig, Manifest } from './image.ts';
export { platformOfNode, type Platform } from './platform.ts';
export { familiarName, familiarString, parseReference, type Reference } from './reference.ts';
