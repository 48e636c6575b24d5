import { z } from 'zod';
import { replyWithLines } from '../line-stream.ts';
import type { Api } from './api.ts';

/** What `GET /v1/version` tells. */
export interface SystemInfo {
  readonly version: string;
  readonly pid: number;
  readonly root: string;
  /** `embedded`, or the address of another engine. */
  readonly engine: string;
  readonly engineSocket: string;
}

/** One line of `bascule doctor`. */
export interface SystemCheck {
  readonly name: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly detail: string;
  readonly fix?: string;
}

interface SystemOptions {
  readonly info: SystemInfo;
  check(): Promise<readonly SystemCheck[]>;
  purge(onLine: (line: string) => void): Promise<void>;
}

const InfoSchema = z.object({
  version: z.string(),
  pid: z.number(),
  root: z.string(),
  engine: z.string(),
  engineSocket: z.string(),
});

const ChecksSchema = z.array(
  z.object({
    name: z.string(),
    state: z.enum(['ok', 'warning', 'failed']),
    detail: z.string(),
    fix: z.string().optional(),
  }),
);

export function systemRoutes(api: Api, options: SystemOptions): void {
  api.get(
    '/v1/version',
    { schema: { summary: 'Which daemon this is', tags: ['system'], response: { 200: InfoSchema } } },
    () => options.info,
  );
  api.get(
    '/v1/doctor',
    {
      schema: {
        summary: 'Whether this machine has what Bascule needs',
        tags: ['system'],
        response: { 200: ChecksSchema },
      },
    },
    async () => [...(await options.check())],
  );
  api.post(
    '/v1/purge',
    {
      schema: {
        summary: 'Remove every project with its volumes, all instances, images and networks, and the proxy',
        description: 'Answers with JSON lines: `{"line": …}` while it works, then `{"result": …}` or `{"error": …}`.',
        tags: ['system'],
      },
    },
    (_request, reply) =>
      replyWithLines(reply, async (emit) => {
        await options.purge((line) => emit({ line }));
        return null;
      }),
  );
}
