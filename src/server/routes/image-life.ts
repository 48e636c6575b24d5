import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Delivery } from '../../delivery/rollout/index.ts';
import type { EngineImages } from '../engine-images.ts';
import type { EngineOwnImages } from '../engine-own-images.ts';
import { pruneUnused } from '../unused-images.ts';
import {
  ArchiveQuerySchema,
  CommitBodySchema,
  ImageQuerySchema,
  ImportQuerySchema,
  PruneBodySchema,
  SbomQuerySchema,
  TagBodySchema,
} from '../wire-images.ts';
import type { Api } from './api.ts';

const TAR_TYPE = 'application/x-tar';

interface ImageLifeOptions {
  readonly engine: EngineImages & EngineOwnImages;
  readonly delivery: Pick<Delivery, 'projects' | 'releases'>;
}

/** What becomes of images that are there, and images that come as archives. */
export function imageLifeRoutes(api: Api, { engine, delivery }: ImageLifeOptions): void {
  const about = (summary: string) => ({ summary, tags: ['images'] });
  api.addContentTypeParser(TAR_TYPE, (_request, body, done) => done(null, body));
  api.get('/v1/images', { schema: { ...about('Images of the engine'), querystring: ImageQuerySchema } }, ({ query }) =>
    engine.images(query),
  );
  api.get(
    '/v1/images/history',
    { schema: { ...about('Steps that made an image'), querystring: z.strictObject({ name: z.string() }) } },
    ({ query }) => engine.history(query.name),
  );
  api.post(
    '/v1/images/tag',
    { schema: { ...about('Give an image a name'), body: TagBodySchema } },
    async ({ body }) => {
      await engine.tag(body.name, body.reference);
      return {};
    },
  );
  api.post(
    '/v1/images/prune',
    {
      schema: {
        ...about('Delete unused images'),
        description: 'Never one that a container was made of, or that a release may be started from.',
        body: PruneBodySchema,
      },
    },
    ({ body }) => pruneUnused({ engine, delivery }, body),
  );
  api.post(
    '/v1/images/commit',
    { schema: { ...about('Make an image of a container'), body: CommitBodySchema } },
    async ({ body: { container, ...request } }) => ({ id: await engine.commit(container, request) }),
  );
  api.get(
    '/v1/images/details',
    {
      schema: {
        ...about('Where an image comes from, and what its layers are good for'),
        description: 'Only of the embedded engine.',
        querystring: z.strictObject({ name: z.string() }),
      },
    },
    ({ query }) => engine.imageDetails(query.name),
  );
  api.get(
    '/v1/images/sbom',
    {
      schema: {
        ...about('What packages an image has'),
        description: 'Debian, npm and Python packages. Only of the embedded engine.',
        querystring: SbomQuerySchema,
      },
    },
    ({ query }) => engine.sbom(query.name, query.format),
  );
  api.get(
    '/v1/images/provenance',
    {
      schema: {
        ...about('How an image was made'),
        description: 'An in-toto statement with SLSA provenance, as text. Only of the embedded engine.',
        querystring: z.strictObject({ name: z.string() }),
      },
    },
    async ({ query }) => ({ document: await engine.provenance(query.name) }),
  );
  archiveRoutes(api, engine);
}

function archiveRoutes(api: Api, engine: EngineImages): void {
  const about = (summary: string) => ({ summary, tags: ['images'] });
  api.get(
    '/v1/images/save',
    {
      schema: {
        ...about('Images as an archive: an OCI layout that is a docker-archive too'),
        querystring: ArchiveQuerySchema,
      },
    },
    async ({ query }, reply) => {
      const archive = await engine.save(
        { names: [query.name].flat(), documents: query.documents },
        goneSignal(reply.raw),
      );
      return reply.type(TAR_TYPE).send(archive);
    },
  );
  api.get(
    '/v1/images/export',
    {
      schema: {
        ...about('Files of a container as an archive'),
        querystring: z.strictObject({ container: z.string() }),
      },
    },
    async ({ query }, reply) => {
      const archive = await engine.exportContainer(query.container, goneSignal(reply.raw));
      return reply.type(TAR_TYPE).send(archive);
    },
  );
  api.post(
    '/v1/images/load',
    { schema: { ...about('Load images from an archive'), consumes: [TAR_TYPE] } },
    async ({ body }, reply) => ({ loaded: await engine.load(body as Readable, goneSignal(reply.raw)) }),
  );
  api.post(
    '/v1/images/import',
    {
      schema: {
        ...about('Make an image of files in an archive'),
        consumes: [TAR_TYPE],
        querystring: ImportQuerySchema,
      },
    },
    async ({ body, query: { change = [], ...request } }, reply) => {
      const wanted = { ...request, changes: [change].flat() };
      return { id: await engine.importRoot(body as Readable, wanted, goneSignal(reply.raw)) };
    },
  );
}

/** Ends when the client goes away. */
function goneSignal(raw: NodeJS.EventEmitter & { readonly writableFinished: boolean }): AbortSignal {
  const gone = new AbortController();
  raw.once('close', () => {
    if (!raw.writableFinished) gone.abort();
  });
  return gone.signal;
}
