import { invalidArchive } from './tar-parser.ts';
import { textOf } from './tar-entry.ts';

/**
 * A member's name made relative and plain: no leading `/` or `./`, no empty parts. '' is the root itself.
 * @throws UserError `archive-invalid` for a name that climbs out (`..`) or holds a zero byte
 */
export function cleanPath(name: string): string {
  if (!name.includes('//') && !name.includes('.') && !name.startsWith('/') && !name.endsWith('/')) return name;
  const parts = name.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw invalidArchive(`the name "${textOf(name)}" leaves the archive`);
  return parts.join('/');
}
