import { z } from 'zod';
import type { Delivery } from '../../delivery/rollout/index.ts';
import { replyWithLines, type Emit } from '../line-stream.ts';
import { ControlBodySchema, InstanceTrafficBodySchema } from '../wire.ts';
import { ProjectParams, type Api } from './api.ts';

const tags = ['rollouts'];
const InstanceParams = ProjectParams.extend({ instance: z.string().min(1) });

/** Looking at a rollout that runs, and steering it; taking single instances out of traffic. */
export function steeringRoutes(api: Api, { delivery }: { readonly delivery: Delivery }): void {
  api.get(
    '/v1/projects/:project/rollout',
    { schema: { summary: 'The rollout that runs, else the last one', tags, params: ProjectParams } },
    (request) => delivery.status(request.params.project),
  );
  watchRoute(api, delivery);
  api.post(
    '/v1/projects/:project/rollout/control',
    {
      schema: {
        summary: 'Pause, resume, promote or abort the rollout that runs, or set its weight',
        description: 'Answers at once with the status; the watch shows the effect.',
        tags,
        params: ProjectParams,
        body: ControlBodySchema,
      },
    },
    (request) => {
      const { author, action } = request.body;
      return delivery.control({ ...request.params, author, action });
    },
  );
  api.post(
    '/v1/projects/:project/instances/:instance/traffic',
    {
      schema: {
        summary: 'Take an instance out of traffic, or put it back',
        description: 'Out: it gets no new requests; answers when those that ran have ended.',
        tags,
        params: InstanceParams,
        body: InstanceTrafficBodySchema,
      },
    },
    (request) => delivery.setInstanceTraffic({ ...request.params, ...request.body }),
  );
}

function watchRoute(api: Api, delivery: Delivery): void {
  api.get(
    '/v1/projects/:project/rollout/watch',
    {
      schema: {
        summary: 'The status of a rollout at each change and each second, until it has ended',
        description:
          'Answers with JSON lines: `{"status": …}`, `{"heartbeat": "time"}` where nothing else was said for a while, ' +
          'at the end `{"result": null}` or `{"error": …}`. It only looks on: going away ends nothing.',
        tags,
        params: ProjectParams,
      },
    },
    (request, reply) =>
      replyWithLines(reply, async (emit, clientGone) => {
        const { project } = request.params;
        await delivery.status(project); // what is not there is an ordinary error answer
        using pulse = heartbeat(emit);
        for await (const status of delivery.watchRollout(project, clientGone)) pulse.emit({ status });
        return null;
      }),
  );
}

const HEARTBEAT_MS = 5_000;

/** Says that the daemon is there when nothing else does. */
function heartbeat(emit: Emit): Disposable & { readonly emit: Emit } {
  const timer = setInterval(() => emit({ heartbeat: new Date() }), HEARTBEAT_MS);
  return {
    emit: (line) => {
      timer.refresh();
      emit(line);
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
