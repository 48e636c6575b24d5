import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..');

/** Bascule as a checkout has it: Node and the sources. */
export const CHECKOUT = join(ROOT, 'bin', 'bascule');

/** Bascule as it is installed: the single executable of `npm run build`, made anew. */
export function buildExecutable(): string {
  execFileSync(process.execPath, ['scripts/build.ts'], { cwd: ROOT, stdio: 'ignore' });
  return join(ROOT, 'dist', 'bascule');
}
