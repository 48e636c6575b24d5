import type { Descriptor, Digest } from '../../../lib/oci/index.ts';
import { type Attachment, referrerOf } from '../../image/index.ts';
import { discard } from './answers.ts';
import { pushBytes, putManifest } from './push.ts';
import type { PushTarget } from './push-target.ts';

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
  for (const attachment of attachments) {
    const { blobs, digest, mediaType, manifest } = referrerOf(attachment, o);
    for (const bytes of blobs) await pushBytes(bytes, o);
    await putManifest(o, { target: digest, mediaType, bytes: manifest });
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
