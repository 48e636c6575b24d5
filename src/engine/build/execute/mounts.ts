import { mkdirSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run, runOrThrow } from '../../../lib/process.ts';
import { openMountCalls, overlayMountArgv, type OverlayMount, type Upper } from '../../image/index.ts';

/** A mounted root file system. Disposing unmounts it; who does it again waits for the same end. */
export interface MountedRoot extends AsyncDisposable {
  readonly path: string;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface Mounts {
  /** @param lower layer folders, bottom first */
  root(lower: readonly string[], upper?: Upper): Promise<MountedRoot>;
}

const FILLERS = ['empty', 'empty-too'];

/**
 * Mounts for builds, all below one folder, by which those of a killed daemon are found. Those with an upper folder are
 * volatile where the kernel can: a layer is synced with others later, or verified after a power failure, so that a
 * step, and the package manager in it, need not wait for the disk.
 */
export function createMounts(directory: string): Mounts {
  /** An overlay without an upper folder needs two lower ones, one with an upper folder needs one. */
  const fillers = FILLERS.map((name) => join(directory, name));
  const calls = openMountCalls();
  /** Mount points stay: to remove one may take as long as a disk is busy with others. */
  const taken = new Set<string>();
  let isVolatile = true;

  function freePath(): string {
    const paths = Array.from({ length: taken.size + 1 }, (_, number) => join(directory, `root-${number}`));
    return paths.find((path) => !taken.has(path))!;
  }

  async function mount(overlay: OverlayMount): Promise<void> {
    const hasUpper = overlay.upper !== undefined;
    if (calls?.mount({ ...overlay, isVolatile: hasUpper && isVolatile })) return;
    if (hasUpper && isVolatile) {
      const { exitCode } = await run(overlayMountArgv({ ...overlay, isVolatile }));
      if (exitCode === 0) return;
    }
    await runOrThrow(overlayMountArgv(overlay));
    if (hasUpper) isVolatile = false; // it works without, so that was it
  }

  async function takeAway(path: string, isQuick: boolean): Promise<void> {
    if (!isQuick || !calls?.unmount(path)) await unmount(path);
    taken.delete(path);
  }

  return {
    async root(layers, upper) {
      const lower = withoutRepeats(layers);
      const path = freePath();
      mkdirSync(path, { recursive: true, mode: 0o700 });
      taken.add(path);
      const stack =
        upper === undefined ? [...fillers.slice(lower.length), ...lower] : lower.length === 0 ? [fillers[0]!] : lower;
      const pair = upper === undefined ? {} : { upper: upper.directory, work: upper.workDirectory };
      try {
        await mount({ lower: stack, target: path, ...pair });
      } catch (error) {
        taken.delete(path);
        throw error;
      }
      const isQuick = upper === undefined || isVolatile; // else everything is synced, which may take long
      let gone: Promise<void> | undefined;
      return { path, [Symbol.asyncDispose]: () => (gone ??= takeAway(path, isQuick)) };
    },
  };
}

/** Makes the folder, and unmounts what a killed daemon left in it. */
export async function prepareMounts(directory: string): Promise<void> {
  for (const name of FILLERS) await mkdir(join(directory, name), { recursive: true, mode: 0o755 });
  const mounted = (await readFile('/proc/self/mountinfo', 'utf8'))
    .split('\n')
    .map((line) => unescapeOctal(line.split(' ')[4] ?? ''))
    .filter((path) => path.startsWith(`${directory}/`));
  for (const path of mounted.toReversed()) await unmount(path);
}

/**
 * Overlayfs refuses a folder that is twice in its stack, and two steps may give equal layers. The upper one of them
 * says all that the lower one says.
 */
function withoutRepeats(layers: readonly string[]): readonly string[] {
  return layers.filter((layer, index) => layers.lastIndexOf(layer) === index);
}

async function unmount(path: string): Promise<void> {
  const { exitCode } = await run(['umount', path]);
  // A process that is being killed may hold it for a moment: it goes away with its last user.
  if (exitCode !== 0) await runOrThrow(['umount', '--lazy', path]);
}

function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
