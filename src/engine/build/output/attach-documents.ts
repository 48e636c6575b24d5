import { messageOf } from '../../../lib/errors.ts';
import { IN_TOTO, type ImageRecord } from '../../image/index.ts';
import { billOfMaterials } from '../../sbom/index.ts';
import type { Session } from '../execute/session.ts';
import { readCheckout } from '../sources/checkout.ts';
import { type BuildRecord, originAnnotations, PREDICATE_TYPE, renderProvenance } from './render-provenance.ts';

/**
 * Notes how the image was made, unless a build before made the same one; and what is in it, where the request wants that.
 * An image is whole without: what fails here is told in the log.
 */
export async function attachDocuments(session: Session, image: ImageRecord): Promise<void> {
  const { images, log } = session.workshop.options;
  try {
    const present = images.attachmentsOf(image.id);
    if (!present.some(({ artifactType }) => artifactType === IN_TOTO)) await attachProvenance(session, image);
  } catch (error) {
    log.warn({ error: messageOf(error), image: image.id }, 'the provenance of an image could not be noted');
  }
  if (session.request.sbom === true) await attachBill(session, image);
}

async function attachProvenance(session: Session, image: ImageRecord): Promise<void> {
  const { request, plan, workshop } = session;
  const { context } = request;
  const record: BuildRecord = {
    request,
    plan,
    images: [...session.images].map(([name, { id, repoDigests }]) => ({ name, id, repoDigests })),
    checkout: context.kind === 'directory' ? await readCheckout(context.path) : undefined,
    imageId: image.id,
    finishedAt: session.now(),
  };
  workshop.options.images.attach(image.id, {
    artifactType: IN_TOTO,
    annotations: { ...originAnnotations(record), 'in-toto.io/predicate-type': PREDICATE_TYPE },
    content: Buffer.from(renderProvenance(record)),
  });
}

async function attachBill({ workshop, signal, request }: Session, image: ImageRecord): Promise<void> {
  request.onProgress({ kind: 'status', what: 'sbom', line: 'reading the package databases' });
  const { images } = workshop.options;
  const { mediaType, text } = await billOfMaterials(images, image, { format: 'cyclonedx-json', signal });
  images.attach(image.id, { artifactType: mediaType, annotations: {}, content: Buffer.from(text) });
}
