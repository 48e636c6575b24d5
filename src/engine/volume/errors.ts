import { UserError } from '../../lib/errors.ts';

/** What users can be told by this room, in Docker's words. */
export function volumeNotFound(name: string): UserError {
  return new UserError({
    code: 'volume-not-found',
    kind: 'not-found',
    message: `get ${name}: no such volume`,
    fix: 'List the volumes with `docker volume ls`, or create it with `docker volume create`.',
  });
}

export function volumeInUse(name: string, users: readonly string[]): UserError {
  return new UserError({
    code: 'volume-in-use',
    kind: 'conflict',
    message: `remove ${name}: volume is in use - [${users.join(', ')}]`,
    fix: 'Remove these containers first (a stopped container still holds its volumes).',
  });
}

export function volumeInvalid(message: string, fix: string): UserError {
  return new UserError({ code: 'volume-invalid', kind: 'invalid', message, fix });
}

export function volumeDriverUnknown(name: string, driver: string): UserError {
  return new UserError({
    code: 'volume-driver-unknown',
    kind: 'not-found',
    message: `create ${name}: error looking up volume plugin ${driver}: plugin "${driver}" not found`,
    fix: 'Use the driver "local": no other is built in.',
  });
}

export function volumeMountFailed(mountpoint: string, detail: string): UserError {
  return new UserError({
    code: 'volume-mount-failed',
    kind: 'failed',
    message: `error while mounting volume '${mountpoint}': failed to mount local volume: ${detail}`,
    fix: 'Check the options type, o and device of the volume (`docker volume inspect`).',
  });
}

export function volumeConflict(name: string): UserError {
  return new UserError({
    code: 'volume-conflict',
    kind: 'conflict',
    message: `volume ${name} exists with other options or labels`,
    fix: 'Use it as it is by naming no options, remove it first, or choose another name.',
  });
}
