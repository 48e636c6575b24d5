import { invalidArchive } from './tar-parser.ts';
import { textOf } from './tar-entry.ts';

/**
 * A member's name made relative and plain: no leading `/` or `./`, no empty parts. '' is the root itself.
 * @throws UserError `archive-invalid` for a name that climbs out (`..`) or holds a zero byte
 */
export function cleanPath(name: string): string {
  refuseZero(name);
  if (!name.includes('//') && !name.includes('.') && !name.startsWith('/') && !name.endsWith('/')) return name;
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw invalidArchive(`the name "${textOf(name)}" leaves the archive`);
  return parts.join('/');
}

/** A zero byte would end the name for the system: what was checked would not be what is made. */
function refuseZero(name: string): void {
  if (name.includes('\0')) throw invalidArchive(`the name "${shown(name)}" holds a zero byte`);
}

function shown(name: string): string {
  return textOf(name.replaceAll('\0', String.raw`\0`));
}

/** PATH_MAX of Linux (limits.h), with its final zero. */
const PATH_MAX = 4_096;

/**
 * What is given to the system as a name, or as the target of a link.
 * @throws UserError `archive-invalid` where Linux could not take it
 */
export function requireName(name: string): void {
  refuseZero(name);
  if (name.length >= PATH_MAX) throw invalidArchive(`a name has more than ${PATH_MAX - 1} bytes`);
}
