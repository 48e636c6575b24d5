import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { UserError } from '../../../lib/errors.ts';
import type { Descriptor } from '../../../lib/oci/index.ts';
import type { ImageRecord, ImageStore } from '../../image/index.ts';
import type { NamedContext } from '../face.ts';
import type { ImageSource } from './plan-with-images.ts';

type Wanted = Extract<NamedContext, { readonly kind: 'image' | 'oci-layout' }>;
type LayoutContext = Extract<NamedContext, { readonly kind: 'oci-layout' }>;

interface Finding {
  readonly source: ImageSource;
  readonly images: Pick<ImageStore, 'load'>;
  readonly signal: AbortSignal;
  temporaryDirectory(): Promise<string>;
}

/** @throws UserError `image-not-found`, `oci-layout-invalid`, and what a registry says */
export async function imageOfContext(wanted: Wanted, o: Finding): Promise<ImageRecord> {
  if (wanted.kind === 'oci-layout') return await imageOfLayout(wanted, o);
  const { source } = o;
  const mustAsk = source.isAlwaysPulled && source.pull !== undefined;
  const image = (mustAsk ? undefined : source.find(wanted.reference)) ?? (await source.pull?.(wanted.reference));
  if (image !== undefined) return image;
  throw new UserError({
    code: 'image-not-found',
    kind: 'not-found',
    message: `no such image: ${wanted.reference}`,
    fix: 'Load it (`docker load`), or make it from packages (`bascule image bootstrap`), or correct its name.',
  });
}

/**
 * Takes one image out of an OCI layout (Image Specification, Image Layout), as `docker load` would: an archive of it
 * with an index that names only this one, and gives it no tag. Every blob is verified by its digest.
 */
async function imageOfLayout({ path, reference }: LayoutContext, o: Finding): Promise<ImageRecord> {
  const index = await readIndex(path);
  const { annotations: _, ...descriptor } = chosenOf(index, { path, reference });
  const directory = await o.temporaryDirectory();
  await writeFile(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [descriptor] }));
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  const names = [`--directory=${directory}`, 'index.json', 'oci-layout', `--directory=${path}`, 'blobs'];
  const tar = spawn('tar', ['--create', '--file=-', '--dereference', ...names], {
    stdio: ['ignore', 'pipe', 'ignore'],
    signal: o.signal,
  });
  tar.on('error', () => {}); // the archive ends early, which `load` tells
  const [image] = await o.images.load(tar.stdout, { signal: o.signal });
  if (image === undefined) throw invalid(path, 'it has no image for this machine');
  return image;
}

async function readIndex(path: string): Promise<readonly Descriptor[]> {
  let text: string;
  try {
    text = await readFile(join(path, 'index.json'), 'utf8');
  } catch (cause) {
    throw invalid(path, 'it has no index.json', cause);
  }
  const { manifests } = parsed(text, path) as { readonly manifests?: readonly Descriptor[] };
  return Array.isArray(manifests) ? manifests : [];
}

function parsed(text: string, path: string): unknown {
  try {
    return JSON.parse(text) ?? {};
  } catch (cause) {
    throw invalid(path, 'its index.json is no JSON', cause);
  }
}

function chosenOf(
  manifests: readonly Descriptor[],
  { path, reference }: { readonly path: string; readonly reference: string | undefined },
): Descriptor {
  const named = manifests.filter(
    ({ digest, annotations }) =>
      reference === undefined ||
      digest === reference ||
      annotations?.['org.opencontainers.image.ref.name'] === reference,
  );
  const tagged = named.find(({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === 'latest');
  const chosen = tagged ?? (new Set(named.map(({ digest }) => digest)).size === 1 ? named[0] : undefined);
  if (chosen === undefined)
    throw invalid(
      path,
      named.length === 0
        ? `it has no image ${reference ?? ''}`
        : 'it has several images: name one with :TAG or @DIGEST',
    );
  return chosen;
}

function invalid(path: string, why: string, cause?: unknown): UserError {
  return new UserError({
    code: 'oci-layout-invalid',
    kind: 'invalid',
    message: `${path} is no OCI layout that can be used: ${why}`,
    fix: 'Name a folder that `bascule image build --output type=oci,tar=false,dest=…` or `skopeo copy … oci:…` made.',
    cause,
  });
}
