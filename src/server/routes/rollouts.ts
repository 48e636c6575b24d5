import type { FastifyReply } from 'fastify';
import type { z } from 'zod';
import type { Delivery, DeployRequest, ProgressEvent, WatchOptions } from '../../delivery/rollout/index.ts';
import { UserError } from '../../lib/errors.ts';
import { replyWithLines } from '../line-stream.ts';
import { projectNameOf, readProject, variablesOf } from '../project-loader.ts';
import {
  AmendBodySchema,
  DeployBodySchema,
  DownBodySchema,
  FolderRollbackBodySchema,
  RollbackBodySchema,
} from '../wire.ts';
import { definedOf, ProjectParams, type Api } from './api.ts';

const tags = ['rollouts'];
const description =
  'Answers with JSON lines: one progress event a line, then `{"result": …}` or `{"error": …}`. ' +
  'It goes on when the client goes away; `POST /v1/projects/{project}/cancel` undoes it.';

/** Rollouts under way by project, so that one can be cancelled from another connection. */
type Cancellers = Map<string, AbortController>;

/** What changes the world. */
export function rolloutRoutes(api: Api, { delivery }: { readonly delivery: Delivery }): void {
  const cancellers: Cancellers = new Map();
  const watch = (
    reply: FastifyReply,
    project: string,
    work: (options: WatchOptions) => Promise<unknown>,
  ): Promise<void> => replyWithLines(reply, (emit) => cancellable(cancellers, project, { emit, work }));

  api.post(
    '/v1/deploy',
    { schema: { summary: 'Make a release and tip over to it', description, tags, body: DeployBodySchema } },
    (request, reply) => {
      const deployRequest = deployRequestOf(request.body);
      return watch(reply, deployRequest.project.name, (options) => {
        warn(deployRequest, options);
        return delivery.deploy(deployRequest, options);
      });
    },
  );
  api.post(
    '/v1/build',
    { schema: { summary: 'Build images only', description, tags, body: DeployBodySchema } },
    (request, reply) => {
      const deployRequest = deployRequestOf(request.body);
      return watch(reply, deployRequest.project.name, (options) => {
        warn(deployRequest, options);
        return delivery.build(deployRequest, options);
      });
    },
  );
  api.post('/v1/plan', { schema: { summary: 'What a deploy would do', tags, body: DeployBodySchema } }, (request) =>
    delivery.plan(deployRequestOf(request.body)),
  );
  api.post(
    '/v1/projects/:project/rollback',
    { schema: { summary: 'Tip back', description, tags, params: ProjectParams, body: RollbackBodySchema } },
    (request, reply) => {
      const rollback = definedOf({ ...request.params, ...request.body });
      return watch(reply, rollback.project, (options) => delivery.rollback(rollback, options));
    },
  );
  api.post(
    '/v1/rollback',
    { schema: { summary: 'Tip the project in a folder back', description, tags, body: FolderRollbackBodySchema } },
    (request, reply) => {
      const { source, ...rest } = request.body;
      const rollback = definedOf({ project: projectNameOf(source, delivery.projects()), ...rest });
      return watch(reply, rollback.project, (options) => delivery.rollback(rollback, options));
    },
  );
  api.post(
    '/v1/projects/:project/rollback/plan',
    { schema: { summary: 'What a rollback would do', tags, params: ProjectParams, body: RollbackBodySchema } },
    (request) => delivery.planRollback(definedOf({ ...request.params, ...request.body })),
  );
  api.post(
    '/v1/projects/:project/amend',
    {
      schema: {
        summary: 'Other images or numbers of instances, as a new release',
        description,
        tags,
        params: ProjectParams,
        body: AmendBodySchema,
      },
    },
    (request, reply) => {
      const amend = definedOf({ ...request.params, ...request.body });
      return watch(reply, amend.project, (options) => delivery.amend(amend, options));
    },
  );
  api.post(
    '/v1/projects/:project/amend/plan',
    { schema: { summary: 'What an amendment would do', tags, params: ProjectParams, body: AmendBodySchema } },
    (request) => delivery.planAmend(definedOf({ ...request.params, ...request.body })),
  );
  api.post(
    '/v1/projects/:project/down',
    { schema: { summary: 'Remove a project', description, tags, params: ProjectParams, body: DownBodySchema } },
    (request, reply) => {
      const { project } = request.params;
      return watch(reply, project, (options) => delivery.down({ project, ...request.body }, options));
    },
  );
  api.post(
    '/v1/projects/:project/cancel',
    { schema: { summary: 'Undo what is under way', tags, params: ProjectParams } },
    (request) => {
      const { project } = request.params;
      const canceller = cancellers.get(project);
      if (canceller === undefined) throw nothingToCancel(project);
      canceller.abort();
      return { project, cancelled: true };
    },
  );
}

/** What the loader found odd, e.g. a variable that is not set. */
function warn({ project }: DeployRequest, { onProgress }: WatchOptions): void {
  for (const message of project.warnings ?? []) onProgress({ type: 'warning', message });
}

async function cancellable(
  cancellers: Cancellers,
  project: string,
  run: { emit(event: ProgressEvent): void; work(options: WatchOptions): Promise<unknown> },
): Promise<unknown> {
  const canceller = new AbortController();
  const isFirst = !cancellers.has(project); // a second one will be refused by delivery, and must not take the place
  if (isFirst) cancellers.set(project, canceller);
  try {
    return await run.work({ onProgress: (event) => run.emit(event), signal: canceller.signal });
  } finally {
    if (isFirst) cancellers.delete(project);
  }
}

function deployRequestOf(body: z.output<typeof DeployBodySchema>): DeployRequest {
  return {
    project: readProject(body.source),
    author: body.author,
    build: body.build,
    noCache: body.noCache,
    force: body.force,
    environment: variablesOf(body.source),
    ...definedOf({ sourceRevision: body.sourceRevision, strategy: body.strategy, images: body.images }),
  };
}

function nothingToCancel(project: string): UserError {
  return new UserError({
    code: 'nothing-to-cancel',
    kind: 'conflict',
    message: `no rollout of ${project} is under way`,
    fix: 'To go back to the previous release, use `bascule rollback`.',
  });
}
