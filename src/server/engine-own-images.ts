import type Docker from 'dockerode';
import type { ImageDetails } from '../engine/docker-api/index.ts';
import { UserError } from '../lib/errors.ts';
import { call } from './engine-errors.ts';

/** What only Bascule's own engine tells of images. */
export interface EngineOwnImages {
  /** @throws UserError `image-details-unsupported` where the engine is another one */
  imageDetails(name: string): Promise<ImageDetails>;
  /** How an image was made, as an in-toto statement; undefined where it was not built here. */
  provenance(name: string): Promise<string | undefined>;
  /** The packages in an image. @throws UserError `image-details-unsupported` */
  sbom(name: string, format: string): Promise<Sbom>;
}

export interface Sbom {
  readonly mediaType: string;
  readonly document: string;
}

export function engineOwnImages(docker: Docker): EngineOwnImages {
  return {
    imageDetails: (name) => ask(docker, { name, what: 'details' }),
    async provenance(name) {
      const { document } = await ask<{ document: string | null }>(docker, { name, what: 'provenance' });
      return document ?? undefined;
    },
    sbom: (name, format) => ask(docker, { name, what: 'sbom', query: { format } }),
  };
}

interface Question {
  readonly name: string;
  readonly what: string;
  readonly query?: Readonly<Record<string, string>>;
}

/** One that does not know the path knows the image all the same: that is how another engine is told from a wrong name. */
async function ask<T>(docker: Docker, { name, what, query = {} }: Question): Promise<T> {
  await call(() => docker.getImage(name).inspect());
  try {
    return await call(() => dial<T>(docker, `/bascule/images/${encodeURIComponent(name)}/${what}?`, query));
  } catch (error) {
    throw error instanceof UserError && error.kind === 'not-found' ? foreignEngine(what, error) : error;
  }
}

function dial<T>(docker: Docker, path: string, options: Readonly<Record<string, string>>): Promise<T> {
  const request = { path, method: 'GET', options, statusCodes: { 200: true } };
  return new Promise((resolve, reject) => {
    docker.modem.dial(request, (error, answer) => (error ? reject(error) : resolve(answer as T)));
  });
}

function foreignEngine(what: string, cause: unknown): UserError {
  return new UserError({
    code: 'image-details-unsupported',
    kind: 'unsupported',
    message: `the engine is not the embedded one: it does not tell the ${what} of images`,
    fix: 'Use the embedded engine: bascule daemon config unset engine.',
    cause,
  });
}
