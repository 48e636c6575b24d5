import { chmod, rm } from 'node:fs/promises';
import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance } from 'fastify';
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import type { Delivery } from '../delivery/rollout/index.ts';
import { UserError } from '../lib/errors.ts';
import type { Log } from '../lib/log.ts';
import type { EngineClient } from './engine-client.ts';
import { errorBodyOf, statusOf } from './errors.ts';
import { certificateRoutes, type KnownCertificate } from './routes/certificates.ts';
import { imageRoutes } from './routes/images.ts';
import { projectRoutes } from './routes/projects.ts';
import { registryRoutes } from './routes/registries.ts';
import { rolloutRoutes } from './routes/rollouts.ts';
import { steeringRoutes } from './routes/steering.ts';
import { systemRoutes, type SystemInfo, type SystemCheck } from './routes/system.ts';
import { serveExec } from './exec.ts';
import { ErrorSchema } from './wire.ts';

export interface ServerOptions {
  readonly delivery: Delivery;
  readonly engine: EngineClient;
  /** Throws while there is no engine behind the socket; called before each request that needs one. */
  requireEngine(): Promise<void>;
  readonly info: SystemInfo;
  readonly log: Log;
  /** Everything that `bascule doctor` shows. */
  check(): Promise<readonly SystemCheck[]>;
  /** Everything that `bascule certificates` shows. */
  certificates(): readonly KnownCertificate[];
  /** Removes everything of this root that runs or serves. */
  purge(onLine: (line: string) => void): Promise<void>;
}

/** Bascule's own HTTP API. */
export interface Server {
  /** Serves on a unix socket with mode 0660; a stale socket file is replaced. */
  listen(socketPath: string): Promise<void>;
  /** Stops taking requests; streams that are open are cut. */
  close(): Promise<void>;
}

/** What only reads files and records goes without. */
const NEED_ENGINE =
  /^\/v1\/(?:deploy|build|plan|rollback|images.*|registries.*|projects\/:project(?:\/(?:rollback|down|logs))?)$/;
const BODY_LIMIT_BYTES = 16 * 1024 * 1024;

export async function createServer(options: ServerOptions): Promise<Server> {
  const app = fastify({ logger: false, bodyLimit: BODY_LIMIT_BYTES, forceCloseConnections: true });
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  handleErrors(app, options.log);
  await app.register(swagger, {
    openapi: {
      info: {
        title: 'Bascule',
        description: 'Immutable infrastructure with containers',
        version: options.info.version,
      },
    },
    transform: jsonSchemaTransform,
  });
  app.addHook('onRoute', (route) => {
    if (route.schema !== undefined)
      route.schema.response = {
        ...(route.schema.response as object | undefined),
        '4xx': ErrorSchema,
        '5xx': ErrorSchema,
      };
  });
  await app.register(async (scope) => {
    const api = scope.withTypeProvider<ZodTypeProvider>();
    api.addHook('preHandler', async ({ routeOptions: { url = '' } }) => {
      if (NEED_ENGINE.test(url)) await options.requireEngine();
    });
    systemRoutes(api, options);
    imageRoutes(api, options);
    registryRoutes(api, options);
    projectRoutes(api, options);
    rolloutRoutes(api, options);
    steeringRoutes(api, options);
    certificateRoutes(api, options);
  });
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
  app.server.on('upgrade', (request, socket, head) => serveExec(options, { request, socket, head }));
  return { listen: (socketPath) => listen(app, socketPath), close: () => app.close() };
}

async function listen(app: FastifyInstance, socketPath: string): Promise<void> {
  await rm(socketPath, { force: true });
  await app.listen({ path: socketPath });
  await chmod(socketPath, 0o660);
}

function handleErrors(app: FastifyInstance, log: Log): void {
  app.setErrorHandler((error, request, reply) => {
    const shown = isValidationError(error) ? invalidRequest(error) : error;
    if (!(shown instanceof UserError)) log.error({ err: shown, path: request.routeOptions.url }, 'request failed');
    return reply.status(statusOf(shown)).send(errorBodyOf(shown));
  });
  app.setNotFoundHandler((request, reply) => {
    const error = new UserError({
      code: 'route-not-found',
      kind: 'not-found',
      message: `there is no ${request.method} ${request.url.split('?')[0]}`,
      fix: 'GET /openapi.json describes the API. An older daemon may still run: `bascule daemon restart`.',
    });
    return reply.status(404).send(errorBodyOf(error));
  });
}

function isValidationError(error: unknown): error is Error & { validation: unknown } {
  return error instanceof Error && 'validation' in error && error.validation !== undefined;
}

function invalidRequest(error: Error): UserError {
  return new UserError({
    code: 'invalid-request',
    kind: 'invalid',
    message: error.message,
    fix: 'GET /openapi.json describes what each call takes.',
    cause: error,
  });
}
