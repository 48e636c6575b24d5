import { lstat } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveInRoot } from '../../lib/root-path.ts';

export type CommandState = 'found' | 'missing' | 'not-executable';

/** Whether a program is there for a process with these variables: why a start failed, without reading messages. */
export async function findCommand(
  root: string,
  o: { readonly program: string; readonly env: readonly string[]; readonly workingDirectory: string },
): Promise<CommandState> {
  let state: CommandState = 'missing';
  for (const path of candidatesOf(o)) {
    const found = await stateOf(await resolveInRoot(root, path));
    if (found === 'found') return 'found';
    if (found === 'not-executable') state = found;
  }
  return state;
}

function candidatesOf(o: { program: string; env: readonly string[]; workingDirectory: string }): readonly string[] {
  if (o.program.startsWith('/')) return [o.program];
  if (o.program.includes('/')) return [join('/', o.workingDirectory, o.program)];
  const path =
    o.env.find((entry) => entry.startsWith('PATH='))?.slice('PATH='.length) ?? '/usr/local/bin:/usr/bin:/bin';
  return path.split(':').map((directory) => join('/', directory, o.program));
}

async function stateOf(path: string): Promise<CommandState> {
  const stat = await lstat(path).catch(() => undefined);
  if (stat === undefined) return 'missing';
  return stat.isFile() && (stat.mode & 0o111) !== 0 ? 'found' : 'not-executable';
}
