export type { BuildOutput, CacheExport, CacheImport, FileOwner, NamedContext } from '../build/index.ts';
export { createEngine, type Engine, type EngineCheck, type EngineOptions } from './engine.ts';
export type { ImageDetails, LayerDetails } from './shape-image-details.ts';
