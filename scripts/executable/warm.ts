/**
 * Runs a command on the pieces in a folder, and leaves beside each that was loaded a code cache with the functions
 * that the command used. usage: warm.ts FOLDER COMMAND…
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Script } from 'node:vm';
import { pieceLoader } from './load-pieces.ts';

const [folder = ''] = process.argv.splice(2, 1);
const scripts = new Map<string, Script>();
process.on('exit', () => {
  for (const [name, script] of scripts) writeFileSync(join(folder, `${name}.cache`), script.createCachedData());
});
const read = (name: string): Uint8Array | undefined =>
  existsSync(join(folder, name)) ? readFileSync(join(folder, name)) : undefined;
pieceLoader(read, createRequire(import.meta.url), (name, script) => scripts.set(name, script))('./main.js');
