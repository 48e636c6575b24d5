import { DatabaseSync } from 'node:sqlite';
import { UserError } from './errors.ts';

/** Held until disposed, or until the process ends in whatever way: the kernel lets go of it. */
export interface Lock extends Disposable {
  readonly path: string;
}

/**
 * Takes the one lock of a folder. It is an exclusive SQLite transaction on a file of its own, thus a kernel lock
 * that a SIGKILL cannot leave behind.
 * @throws UserError `locked` when another process holds it
 */
export function acquireLock(path: string, what: string): Lock {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (cause) {
    database.close();
    throw new UserError({
      code: 'locked',
      kind: 'conflict',
      message: `${what} is in use by another process (lock ${path})`,
      fix: 'Stop the other process, or choose another folder with --root.',
      cause,
    });
  }
  return { path, [Symbol.dispose]: () => database.close() };
}
