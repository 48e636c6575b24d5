import type { Readable } from 'node:stream';
import { z } from 'zod';
import type { Delivery } from '../../delivery/rollout/index.ts';
import type { EngineClient } from '../engine-client.ts';
import { replyWithLines } from '../line-stream.ts';
import { assertNotNeeded } from '../needed-image.ts';
import { BootstrapBodySchema } from '../wire.ts';
import { type Api, definedOf } from './api.ts';
import { imageLifeRoutes } from './image-life.ts';

/** One line of JSON, then any bytes. */
const BUILD_TYPE = 'application/vnd.bascule.build';

interface ImageOptions {
  readonly engine: EngineClient;
  readonly delivery: Delivery;
}

export function imageRoutes(api: Api, { engine, delivery }: ImageOptions): void {
  imageLifeRoutes(api, { engine, delivery });
  api.get(
    '/v1/images/inspect',
    { schema: { summary: 'One image', tags: ['images'], querystring: z.strictObject({ name: z.string() }) } },
    (request) => engine.inspectImage(request.query.name),
  );
  api.post(
    '/v1/images/remove',
    {
      schema: {
        summary: 'Remove an image',
        description: 'One that a release may be started from is refused without `force`.',
        tags: ['images'],
        body: z.strictObject({ name: z.string(), force: z.boolean().default(false) }),
      },
    },
    async (request) => {
      const { name, force } = request.body;
      if (!force) await assertNotNeeded(delivery, { name, ...(await engine.identifyImage(name)) });
      return engine.removeImage(name, force);
    },
  );
  api.addContentTypeParser(BUILD_TYPE, (_request, body, done) => done(null, body));
  api.post(
    '/v1/images/build',
    {
      schema: {
        summary: 'Build an image',
        description:
          `The body (${BUILD_TYPE}) is one line of JSON, the request, then the context where it is a stream. ` +
          'Answers with JSON lines: events while it works, then `{"result": …}` or `{"error": …}`.',
        tags: ['images'],
        consumes: [BUILD_TYPE],
      },
    },
    async (request, reply) => {
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const answer = await engine.build(request.body as Readable, { signal: gone.signal });
      return reply.type('application/jsonl').send(answer);
    },
  );
  api.post(
    '/v1/images/bootstrap',
    {
      schema: {
        summary: 'Make a base image from packages',
        description: 'Answers with JSON lines: `{"line": …}` while it works, then `{"result": …}` or `{"error": …}`.',
        tags: ['images'],
        body: BootstrapBodySchema,
      },
    },
    (request, reply) =>
      replyWithLines(reply, (emit, clientGone) =>
        engine.bootstrap(definedOf(request.body), { onLine: (line) => emit({ line }), signal: clientGone }),
      ),
  );
}
