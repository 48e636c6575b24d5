import { UserError } from '../../lib/errors.ts';

/** @throws UserError `root-needed` */
export function requireRoot(): void {
  if (process.geteuid?.() === 0) return;
  throw new UserError({
    code: 'root-needed',
    kind: 'denied',
    message: 'the daemon does not run, and only root may start it (it mounts file systems and makes networks)',
    fix: 'Run the command with sudo, or install the daemon once with `sudo bascule daemon install`.',
  });
}
