import { z } from 'zod';
import type { ImageRecord } from '../image/index.ts';
import { invalidParameter } from './http-errors.ts';
import { checkPlatform } from './platform-check.ts';
import { jsonOf } from './query.ts';

const platform = z.looseObject({
  os: z.string().default(''),
  architecture: z.string().default(''),
  variant: z.string().optional(),
});

/**
 * The parameter `platform` as JSON (API 1.46 to 1.49): an image here is of one platform, which has to be the one.
 * @throws UserError `platform-mismatch`, `invalid-parameter`
 */
export function checkAskedPlatform(image: ImageRecord, query: URLSearchParams): void {
  const value = jsonOf(query, 'platform');
  if (value === undefined) return;
  const parsed = platform.safeParse(value);
  if (!parsed.success) throw invalidParameter('platform is not the JSON of an OCI platform');
  const { os, architecture, variant } = parsed.data;
  if (os === '' || architecture === '') throw invalidParameter('both OS and Architecture must be provided');
  checkPlatform(image, [os, architecture, ...(variant ? [variant] : [])].join('/'));
}
