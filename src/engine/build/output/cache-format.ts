import { z } from 'zod';
import { type Digest, isDigest } from '../../../lib/oci/index.ts';

/** Media type of the configuration of a manifest that holds results of build steps. */
export const CACHE_CONFIG_TYPE = 'application/vnd.bascule.build-cache.v1+json';

const DigestSchema = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value));

/** Results of steps by their content keys, which do not depend on the machine. */
export const CacheConfigSchema = z.object({
  version: z.literal(1),
  /** diffIDs of the manifest's layers, in their order. Absent: the layers are uncompressed, their digests are the diffIDs. */
  layers: z.array(DigestSchema).optional(),
  results: z.array(
    z.object({
      key: z.string(),
      aliases: z.array(z.string()),
      /** Null: the step changed no file. */
      diffId: DigestSchema.nullable(),
      createdAt: z.iso.datetime(),
      description: z.string(),
    }),
  ),
});

export type CacheConfig = z.infer<typeof CacheConfigSchema>;
