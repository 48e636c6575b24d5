import { digestOf, type Descriptor, type Digest } from '../../../lib/oci/index.ts';
import { type Attachment, contentFor } from '../../image/index.ts';
import { discard } from './answers.ts';
import { OCI_MANIFEST } from './media-types.ts';
import { pushBytes, type PushTarget, putManifest } from './push.ts';

/** OCI Image Specification, "Guidance for an Empty Descriptor". */
const EMPTY = Buffer.from('{}');
const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';

/**
 * Pushes documents about a manifest that is there, as its referrers (OCI Distribution Specification 1.1, "Listing
 * Referrers"). A registry without that list gets none: they would be tags among the tags there.
 * @param subject the manifest that they are about
 * @returns how many the registry has now
 */
export async function pushReferrers(
  attachments: readonly Attachment[],
  o: PushTarget & { readonly subject: Descriptor; readonly name: string },
): Promise<number> {
  if (attachments.length === 0 || !(await listsReferrers(o, o.subject.digest))) return 0;
  await pushBytes(EMPTY, o);
  for (const attachment of attachments) {
    const content = contentFor(attachment, { name: o.name, digest: o.subject.digest });
    await pushBytes(content, o);
    const bytes = Buffer.from(JSON.stringify(referrerManifest({ attachment, content, subject: o.subject })));
    await putManifest(o, { target: digestOf(bytes), mediaType: OCI_MANIFEST, bytes });
  }
  return attachments.length;
}

async function listsReferrers({ repository, signal }: PushTarget, digest: Digest): Promise<boolean> {
  const answer = await repository.call({
    ...{ method: 'GET', at: `referrers/${digest}`, expect: [200, 400, 404, 405], what: `the referrers of ${digest}` },
    ...(signal === undefined ? {} : { signal }),
  });
  await discard(answer.body);
  return answer.status === 200 && String(answer.headers['content-type']).includes('image.index');
}

interface Referrer {
  readonly attachment: Attachment;
  readonly content: Buffer;
  readonly subject: Descriptor;
}

/** OCI Image Specification, "Guidelines for Artifact Usage". */
function referrerManifest({ attachment, content, subject }: Referrer): object {
  const { artifactType, annotations } = attachment;
  return {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    artifactType,
    config: { mediaType: EMPTY_TYPE, digest: digestOf(EMPTY), size: EMPTY.length },
    layers: [{ mediaType: artifactType, digest: digestOf(content), size: content.length }],
    subject: { mediaType: subject.mediaType, digest: subject.digest, size: subject.size },
    annotations,
  };
}
