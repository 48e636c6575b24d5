import { digestOf, type Descriptor, type Digest } from '../../lib/oci/index.ts';
import { type Attachment, contentFor } from './attachments.ts';

const MANIFEST_TYPE = 'application/vnd.oci.image.manifest.v1+json';
/** OCI Image Specification, "Guidance for an Empty Descriptor". */
const EMPTY = Buffer.from('{}');
const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';

/** A document as registries and OCI layouts have it: a manifest that names what it is about, and its blobs. */
export interface Referrer {
  readonly artifactType: string;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly manifest: Buffer;
  readonly blobs: readonly Buffer[];
}

/** OCI Image Specification, "Guidelines for Artifact Usage". @param subject the image's manifest */
export function referrerOf(
  attachment: Attachment,
  { subject, name }: { readonly subject: Descriptor; readonly name: string },
): Referrer {
  const { artifactType, annotations } = attachment;
  const content = contentFor(attachment, { name, digest: subject.digest });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      artifactType,
      config: { mediaType: EMPTY_TYPE, digest: digestOf(EMPTY), size: EMPTY.length },
      layers: [{ mediaType: artifactType, digest: digestOf(content), size: content.length }],
      subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
      annotations,
    }),
  );
  return { artifactType, digest: digestOf(manifest), mediaType: MANIFEST_TYPE, manifest, blobs: [EMPTY, content] };
}
