import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomic } from '../../lib/files.ts';
import { runOrThrow } from '../../lib/process.ts';
import { scopeOf } from '../../lib/scope.ts';
import { requireRoot } from './require-root.ts';
import { renderUnit } from './unit.ts';

const UNIT_DIRECTORY = '/etc/systemd/system';

function unitName(root: string): string {
  const { suffix } = scopeOf(root);
  return suffix === '' ? 'bascule.service' : `bascule-${suffix}.service`;
}

/**
 * Writes the unit and starts it where systemd runs.
 * @param stop ends a daemon that was started otherwise
 * @returns the unit's file
 */
export async function installService(
  root: string,
  o: { readonly argv: readonly string[]; stop(): Promise<unknown> },
): Promise<string> {
  requireRoot();
  const path = join(UNIT_DIRECTORY, unitName(root));
  await mkdir(UNIT_DIRECTORY, { recursive: true });
  await writeFileAtomic(path, renderUnit({ argv: o.argv, root: scopeOf(root).root }));
  if (!hasSystemd()) return path;
  await o.stop();
  await runOrThrow(['systemctl', 'daemon-reload']);
  await runOrThrow(['systemctl', 'enable', '--now', unitName(root)]);
  return path;
}

/** @returns whether there was one */
export async function uninstallService(root: string): Promise<boolean> {
  requireRoot();
  const path = join(UNIT_DIRECTORY, unitName(root));
  if (!existsSync(path)) return false;
  if (hasSystemd()) await runOrThrow(['systemctl', 'disable', '--now', unitName(root)]);
  await rm(path);
  if (hasSystemd()) await runOrThrow(['systemctl', 'daemon-reload']);
  return true;
}

/** sd_booted(3). */
function hasSystemd(): boolean {
  return existsSync('/run/systemd/system');
}
