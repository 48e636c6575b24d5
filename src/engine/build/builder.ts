import type { Builder, BuilderOptions } from './face.ts';

/** Opens the build room over `<directory>/build` and cleans what a killed build left. */
export function createBuilder(_options: BuilderOptions): Builder {
  throw new Error('createBuilder is not built yet');
}
