import { UserError } from '../../lib/errors.ts';
import type { ImageRecord } from '../image/index.ts';

/** Whether an image is for `os[/architecture[/variant]]`; without one it always is. */
function isForPlatform({ config }: ImageRecord, platform: string | undefined): boolean {
  if (platform === undefined) return true;
  const [os = '', architecture, variant] = platform.toLowerCase().split('/');
  return (
    (os === config.os || (architecture === undefined && os === config.architecture)) &&
    (architecture === undefined || architecture === config.architecture) &&
    (variant === undefined || config.variant === undefined || variant === config.variant)
  );
}

/** @throws UserError `platform-mismatch` */
export function checkPlatform(image: ImageRecord, platform: string | undefined): void {
  if (platform === undefined || isForPlatform(image, platform)) return;
  const { os, architecture } = image.config;
  throw new UserError({
    code: 'platform-mismatch',
    kind: 'not-found',
    message: `image ${image.references[0] ?? image.id} was found but does not match the specified platform: wanted ${platform}, actual: ${os}/${architecture}`,
    fix: 'Leave the platform out, or bring an image for it with `docker load`.',
  });
}
