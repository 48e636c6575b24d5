import type { EngineRegistries } from '../engine-registries.ts';
import { replyWithLines } from '../line-stream.ts';
import { LoginBodySchema, PullBodySchema, PushBodySchema } from '../wire-registries.ts';
import type { Api } from './api.ts';

const STREAM = 'Answers with JSON lines: events while it works, then `{"result": …}` or `{"error": …}`.';

export function registryRoutes(api: Api, { engine }: { readonly engine: EngineRegistries }): void {
  const about = (summary: string) => ({ summary, tags: ['registries'] });
  api.post(
    '/v1/images/pull',
    { schema: { ...about('Pull an image from its registry'), description: STREAM, body: PullBodySchema } },
    ({ body }, reply) =>
      replyWithLines(reply, (onEvent, signal) => {
        const { reference, ...rest } = body;
        return engine.pullImage(reference, { ...rest, onEvent, signal });
      }),
  );
  api.post(
    '/v1/images/push',
    { schema: { ...about('Push an image to its registry'), description: STREAM, body: PushBodySchema } },
    ({ body }, reply) =>
      replyWithLines(reply, (onEvent, signal) => {
        const { reference, ...rest } = body;
        return engine.pushImage(reference, { ...rest, onEvent, signal });
      }),
  );
  api.post(
    '/v1/registries/login',
    {
      schema: {
        ...about('Ask whether a registry knows somebody'),
        description: 'Nothing is kept: that is up to the client.',
        body: LoginBodySchema,
      },
    },
    ({ body }) => engine.loginTo(loginOf(body)),
  );
}

function loginOf(body: { readonly registry: string; readonly username: string; readonly password: string }) {
  return { serveraddress: body.registry, username: body.username, password: body.password };
}
