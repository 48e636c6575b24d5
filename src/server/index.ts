export { connectEngine, type EngineClient } from './engine-client.ts';
export { checkEngine, engineGate } from './engine-probe.ts';
export type { SystemCheck, SystemInfo } from './routes/system.ts';
export { createServer, type Server, type ServerOptions } from './server.ts';
