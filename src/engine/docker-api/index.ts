export { createEngine, type Engine, type EngineCheck, type EngineOptions } from './engine.ts';
