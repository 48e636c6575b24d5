import { UserError } from '../../lib/errors.ts';
import { shortId } from '../../lib/id.ts';

/** Messages are Docker's own words where it has them: people and tools know them. */

export function containerNotFound(name: string): UserError {
  return new UserError({
    code: 'container-not-found',
    kind: 'not-found',
    message: `No such container: ${name}`,
    fix: 'List the containers with `docker ps --all`.',
  });
}

export function nameTaken(name: string, id: string): UserError {
  return new UserError({
    code: 'container-name-taken',
    kind: 'conflict',
    message: `Conflict. The container name "/${name}" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    fix: `Remove or rename the container ${shortId(id)}, or choose another name.`,
  });
}

export function invalidContainer(message: string, fix: string, cause?: unknown): UserError {
  return new UserError({ code: 'container-invalid', kind: 'invalid', message, fix, cause });
}

export function containerRunning(name: string): UserError {
  return new UserError({
    code: 'container-running',
    kind: 'conflict',
    message: `cannot remove container "${name}": container is running: stop the container before removing or force remove`,
    fix: `Run \`docker stop ${name}\` first, or remove it with --force.`,
  });
}

export function containerNotRunning(id: string): UserError {
  return new UserError({
    code: 'container-not-running',
    kind: 'conflict',
    message: `container ${id} is not running`,
    fix: `Start it with \`docker start ${shortId(id)}\`.`,
  });
}

export function containerPaused(id: string): UserError {
  return new UserError({
    code: 'container-paused',
    kind: 'conflict',
    message: `Container ${id} is paused, unpause the container before this`,
    fix: `Run \`docker unpause ${shortId(id)}\` first.`,
  });
}

export function alreadyPaused(id: string): UserError {
  return new UserError({
    code: 'container-paused',
    kind: 'conflict',
    message: `Container ${id} is already paused`,
    fix: 'Nothing is to be done.',
  });
}

export function linkNotRunning(target: string, path: string): UserError {
  return new UserError({
    code: 'link-not-running',
    kind: 'failed',
    message: `Cannot link to a non running container: /${target} AS ${path}`,
    fix: `Start the container ${target} first, on the default bridge.`,
  });
}

export function apparmorMissing(profile: string): UserError {
  return new UserError({
    code: 'apparmor-missing',
    kind: 'invalid',
    message: `AppArmor is not enabled on the host: the profile "${profile}" cannot be applied`,
    fix: 'Leave the security option apparmor away, or start the kernel with AppArmor.',
  });
}

export function containerNotPaused(id: string): UserError {
  return new UserError({
    code: 'container-not-paused',
    kind: 'conflict',
    message: `Container ${id} is not paused`,
    fix: 'Nothing is to be done.',
  });
}

export function removalInProgress(id: string): UserError {
  return new UserError({
    code: 'removal-in-progress',
    kind: 'conflict',
    message: `removal of container ${id} is already in progress`,
    fix: 'Wait until it is gone.',
  });
}

export function invalidSignal(signal: string): UserError {
  return new UserError({
    code: 'signal-invalid',
    kind: 'invalid',
    message: `invalid signal: ${signal}`,
    fix: 'Give a name such as SIGTERM, or a number from 1 to 64.',
  });
}

export function execNotFound(id: string): UserError {
  return new UserError({
    code: 'exec-not-found',
    kind: 'not-found',
    message: `No such exec instance: ${id}`,
    fix: 'Create it anew: an exec is forgotten some time after it ended.',
  });
}

export function execStarted(id: string): UserError {
  return new UserError({
    code: 'exec-started',
    kind: 'conflict',
    message: `exec instance ${id} was started already`,
    fix: 'Create another one.',
  });
}

export function pathNotFound(path: string, name: string): UserError {
  return new UserError({
    code: 'path-not-found',
    kind: 'not-found',
    message: `Could not find the file ${path} in container ${name}`,
    fix: 'Give a path that exists in the container.',
  });
}

export function logsUnreadable(): UserError {
  return new UserError({
    code: 'logs-unreadable',
    kind: 'unsupported',
    message: 'configured logging driver does not support reading',
    fix: 'Make the container anew with the logging driver json-file.',
  });
}

export function initMissing(): UserError {
  return new UserError({
    code: 'init-missing',
    kind: 'unsupported',
    message: 'an init process was asked for (--init), and none is installed on this machine',
    fix: 'Install the package tini (or catatonit), or leave --init away.',
  });
}

export function runtimeMissing(detail: string): UserError {
  return new UserError({
    code: 'runtime-missing',
    kind: 'unavailable',
    message: `no OCI runtime works on this machine: ${detail}`,
    fix: 'Install the package crun (or runc); `bascule doctor` tells more.',
  });
}

export function mountDenied(detail: string): UserError {
  return new UserError({
    code: 'mount-denied',
    kind: 'denied',
    message: `mounting a root file system is not permitted: ${detail}`,
    fix: 'Run the daemon as root, with CAP_SYS_ADMIN and outside of an unprivileged container.',
  });
}

export function mountUnsupported(detail: string): UserError {
  return new UserError({
    code: 'mount-unsupported',
    kind: 'unavailable',
    message: `the kernel cannot mount the root file system: ${detail}`,
    fix: 'Load the module with `modprobe overlay`, and keep the root directory on ext4, xfs or btrfs (not on overlayfs).',
  });
}
