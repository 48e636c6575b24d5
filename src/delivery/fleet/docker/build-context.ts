import { spawn } from 'node:child_process';
import { mkdtemp, opendir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { parseIgnore } from '../../../lib/dockerignore.ts';
import { UserError } from '../../../lib/errors.ts';
import { readTextIfThere } from '../../../lib/files.ts';
import { nearestWord } from '../../../lib/nearest.ts';

export interface BuildContext {
  readonly directory: string;
  /** Relative to the directory. */
  readonly dockerfile: string;
  /** Text that stands in the Compose file instead (`dockerfile_inline`); it is sent under the name INLINE. */
  readonly inline: string | undefined;
}

export const INLINE = '.bascule.Dockerfile';

/** The files of a build context as a tar, without those that .dockerignore names. Packed by GNU tar. */
export async function packContext(context: BuildContext, signal: AbortSignal): Promise<Readable> {
  const files = await filesToSend(context);
  const extra = context.inline === undefined ? undefined : await folderWith(INLINE, context.inline);
  const inline = extra === undefined ? [] : [`--directory=${extra}`, INLINE];
  const child = spawn('tar', [...PACK, ...inline], {
    cwd: context.directory,
    stdio: ['pipe', 'pipe', 'ignore'],
    signal,
  });
  child.on('error', (error) => child.stdout.destroy(error));
  child.on('close', () => void (extra === undefined || rm(extra, { recursive: true, force: true })));
  child.stdin.on('error', () => {}); // tar's own end tells
  child.stdin.end(files.map((file) => `${file}\0`).join(''));
  return child.stdout;
}

const PACK = [
  '--create',
  '--file=-',
  '--numeric-owner',
  '--null',
  '--no-recursion',
  '--verbatim-files-from',
  '--files-from=-',
];

async function folderWith(name: string, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bascule-build-'));
  await writeFile(join(folder, name), text);
  return folder;
}

/**
 * Says what a build will not find before the engine is asked: it knows only its own words for it.
 * @throws UserError `context-missing`, `dockerfile-missing`
 */
export async function requireContext(service: string, { directory, dockerfile, inline }: BuildContext): Promise<void> {
  const names = await readdir(directory).catch(() => undefined);
  if (names === undefined) {
    throw missing('context', {
      message: `services.${service}.build: the build context ${directory} is no folder`,
      fix: `Create it, or set \`services.${service}.build.context\` to the right one; it is taken relative to the folder of the Compose file.`,
    });
  }
  const path = join(directory, dockerfile);
  const found = inline === undefined ? await stat(path).catch(() => undefined) : undefined;
  if (inline !== undefined || found?.isFile()) return;
  const near = nearestWord(dockerfile, names);
  throw missing('dockerfile', {
    message: `services.${service}.build: there is no Dockerfile at ${path}`,
    fix:
      `${near === undefined ? 'Create it' : `Did you mean ${near}? Rename it`}, or set \`services.${service}.build.dockerfile\` to its path; ` +
      `it is taken relative to the build context ${directory}.`,
  });
}

function missing(what: 'context' | 'dockerfile', said: { readonly message: string; readonly fix: string }): UserError {
  return new UserError({ code: `${what}-missing`, kind: 'failed', ...said });
}

async function filesToSend({ directory, dockerfile }: BuildContext): Promise<readonly string[]> {
  const own = await readTextIfThere(join(directory, `${dockerfile}.dockerignore`));
  const rules = own ?? (await readTextIfThere(join(directory, '.dockerignore')));
  const ignore = parseIgnore(rules ?? '', own === undefined ? '.dockerignore' : `${dockerfile}.dockerignore`);
  const always = new Set([dockerfile, '.dockerignore']);
  const files: string[] = [];
  for await (const path of walk(directory, '')) {
    if (always.has(path) || !ignore.ignores(path)) files.push(path);
  }
  return files;
}

async function* walk(root: string, folder: string): AsyncGenerator<string> {
  for await (const entry of await opendir(join(root, folder))) {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    yield path;
    if (entry.isDirectory()) yield* walk(root, path);
  }
}
