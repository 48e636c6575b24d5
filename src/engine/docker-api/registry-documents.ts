import { Readable } from 'node:stream';
import { z } from 'zod';
import { UserError } from '../../lib/errors.ts';
import { type Descriptor, digestOf, isDigest, type Digest } from '../../lib/oci/index.ts';
import type { RegistryDocument } from '../build/index.ts';
import type { Credential, RegistryClient } from '../registry/index.ts';

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';

const DescriptorSchema = z.object({
  mediaType: z.string(),
  digest: z.custom<Digest>((value) => typeof value === 'string' && isDigest(value)),
  size: z.int().nonnegative(),
});
const ManifestSchema = z.object({ config: DescriptorSchema, layers: z.array(DescriptorSchema) });

interface Calling {
  readonly credential?: Credential;
  readonly signal: AbortSignal;
}

/** @throws UserError `registry-invalid` for what is no manifest */
export async function fetchDocument(
  registry: RegistryClient,
  reference: string,
  o: Calling,
): Promise<RegistryDocument> {
  const { bytes } = await registry.fetchManifest(reference, o);
  const { config, layers } = readManifest(reference, bytes);
  const content = await registry.fetchBlob(reference, { ...o, digest: config.digest, sizeBytes: config.size });
  return { config: content, configType: config.mediaType, layers };
}

function readManifest(reference: string, bytes: Buffer): z.infer<typeof ManifestSchema> {
  try {
    return ManifestSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new UserError({
      code: 'registry-invalid',
      kind: 'invalid',
      message: `${reference} is no manifest`,
      fix: 'Name another one, or remove it.',
      cause,
    });
  }
}

/** Its layers are there already. */
export async function pushDocument(
  registry: RegistryClient,
  reference: string,
  o: RegistryDocument & Calling,
): Promise<void> {
  const { config, configType, layers, ...calling } = o;
  const descriptor: Descriptor = { mediaType: configType, digest: digestOf(config), size: config.length };
  const blob = {
    digest: descriptor.digest,
    sizeBytes: config.length,
    open: (offset: number) => Readable.from([config.subarray(offset)]),
  };
  await registry.pushBlob(reference, { ...calling, blob });
  const manifest = { schemaVersion: 2, mediaType: MANIFEST_TYPE, config: descriptor, layers };
  await registry.pushManifest(reference, {
    ...calling,
    mediaType: MANIFEST_TYPE,
    bytes: Buffer.from(JSON.stringify(manifest)),
  });
}
