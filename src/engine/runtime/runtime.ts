import type { Runtime, RuntimeOptions } from './face.ts';

/** Opens the runtime over its records; call `adopt` before anything else. */
export async function openRuntime(options: RuntimeOptions): Promise<Runtime> {
  throw new Error(`not built yet: ${options.directory}`);
}
