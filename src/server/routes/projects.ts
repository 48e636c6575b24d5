import { z } from 'zod';
import { renderProject } from '../../delivery/compose/index.ts';
import type { Delivery } from '../../delivery/rollout/index.ts';
import { replyWithLines } from '../line-stream.ts';
import { parseProject, projectNameOf } from '../project-loader.ts';
import { DiffQuerySchema, LogQuerySchema, ProjectSourceSchema } from '../wire.ts';
import { ProjectParams, type Api } from './api.ts';

const tags = ['projects'];

/** What is there: nothing here changes anything. */
export function projectRoutes(api: Api, { delivery }: { readonly delivery: Delivery }): void {
  api.get('/v1/projects', { schema: { summary: 'Names of all projects', tags } }, () => delivery.projects());
  api.post(
    '/v1/projects/resolve',
    { schema: { summary: 'The name of the project in a folder', tags, body: ProjectSourceSchema } },
    (request) => ({ project: projectNameOf(request.body, delivery.projects()) }),
  );
  api.post(
    '/v1/projects/config',
    { schema: { summary: 'A Compose project in its canonical form', tags, body: ProjectSourceSchema } },
    (request) => renderProject(parseProject(request.body)),
  );
  api.get(
    '/v1/projects/:project',
    { schema: { summary: 'What runs: release, instances, ports', tags, params: ProjectParams } },
    (request) => delivery.ps(request.params.project),
  );
  api.get(
    '/v1/projects/:project/releases',
    { schema: { summary: 'Releases, newest first', tags, params: ProjectParams } },
    (request) => delivery.releases(request.params.project),
  );
  releaseRoutes(api, delivery);
  ledgerRoutes(api, delivery);
  logRoute(api, delivery);
}

function releaseRoutes(api: Api, delivery: Delivery): void {
  api.get(
    '/v1/projects/:project/releases/:release',
    { schema: { summary: 'A release with all that was frozen, secrets left out', tags, params: ReleaseParams } },
    (request) => delivery.release(request.params.project, request.params.release),
  );
  api.get(
    '/v1/projects/:project/diff',
    {
      schema: {
        summary: 'What differs between two releases',
        tags,
        params: ProjectParams,
        querystring: DiffQuerySchema,
      },
    },
    (request) => delivery.diff(request.params.project, request.query.from, request.query.to),
  );
}

const ReleaseParams = ProjectParams.extend({ release: z.coerce.number().int().positive() });

function ledgerRoutes(api: Api, delivery: Delivery): void {
  api.get(
    '/v1/projects/:project/ledgers',
    { schema: { summary: 'The evidence of all rollouts', tags, params: ProjectParams } },
    (request) => delivery.ledgers(request.params.project),
  );
  api.get(
    '/v1/projects/:project/ledger',
    {
      schema: {
        summary: 'The evidence of one rollout, the latest by default',
        tags,
        params: ProjectParams,
        querystring: z.strictObject({ rollout: z.coerce.number().int().positive().optional() }),
      },
    },
    (request) => delivery.ledger(request.params.project, request.query.rollout),
  );
}

function logRoute(api: Api, delivery: Delivery): void {
  api.get(
    '/v1/projects/:project/logs',
    {
      schema: {
        summary: 'What the instances print, as JSON lines',
        tags,
        params: ProjectParams,
        querystring: LogQuerySchema,
      },
    },
    (request, reply) =>
      replyWithLines(reply, async (emit, clientGone) => {
        const { service, follow, tail, since } = request.query;
        const query = {
          project: request.params.project,
          services: service === undefined ? [] : [service].flat(),
          follow,
          ...(tail === undefined ? {} : { tail }),
          ...(since === undefined ? {} : { since: new Date(since) }),
        };
        for await (const line of delivery.logs(query, clientGone)) emit(line);
        return null;
      }),
  );
}
