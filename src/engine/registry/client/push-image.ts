import { messageOf } from '../../../lib/errors.ts';
import type { Log } from '../../../lib/log.ts';
import { familiarName, familiarString, type Descriptor, type Manifest } from '../../../lib/oci/index.ts';
import type { ImageRecord } from '../../image/index.ts';
import type { PushedImage } from './face.ts';
import { OCI_CONFIG, OCI_MANIFEST } from './media-types.ts';
import { pushBytes, pushLayers, putManifest } from './push.ts';
import type { PushTarget } from './push-target.ts';
import { pushReferrers } from './referrers.ts';

interface ImagePush extends PushTarget {
  readonly log: Log;
}

/** Layers first, then the configuration, then the manifest under the tag of the reference; what names others comes last. */
export async function pushImage(image: ImageRecord, o: ImagePush): Promise<PushedImage> {
  const { images, reference } = o;
  const announcement = `The push refers to repository [${reference.domain}/${reference.path}]`;
  o.onProgress({ kind: 'started', reference: familiarString(reference), text: announcement });
  const layers = await pushLayers(image.config.rootfs.diff_ids, o);
  const configBytes = images.configBytes(image.id);
  await pushBytes(configBytes, o);
  const config = { mediaType: OCI_CONFIG, digest: image.id, size: configBytes.length };
  const manifest: Manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const digest = await putManifest(o, { target: reference.tag ?? 'latest', mediaType: OCI_MANIFEST, bytes });
  images.addRepoDigest(image.id, `${familiarName(reference)}@${digest}`);
  await pushDocuments(image, { ...o, subject: { mediaType: OCI_MANIFEST, digest, size: bytes.length } });
  return { digest, sizeBytes: bytes.length };
}

/** Provenance and bills of materials. The image is there and whole without: that they are not is no failure. */
async function pushDocuments({ id }: ImageRecord, o: ImagePush & { readonly subject: Descriptor }): Promise<void> {
  const name = familiarName(o.reference);
  try {
    await pushReferrers(o.images.attachmentsOf(id), { ...o, name });
  } catch (error) {
    o.signal?.throwIfAborted();
    o.log.warn({ error: messageOf(error), image: id, name }, 'the documents of an image could not be pushed');
  }
}
