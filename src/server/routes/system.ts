import { z } from 'zod';
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
}
