import { z } from 'zod';
import { EMBEDDED, ENGINE_PATTERN } from './engine-address.ts';

/** `<root>/config.yaml`. One schema: it validates, fills in defaults, and the reference in docs/cli.md is made of it. */
export const configurationSchema = z.strictObject({
  engine: z
    .string()
    .regex(ENGINE_PATTERN, "that is not an engine's socket")
    .default(EMBEDDED)
    .describe(
      'The engine that delivery drives: `embedded`, or the socket of a Docker Engine API, e.g. `unix:///var/run/docker.sock`. Takes effect when the daemon starts.',
    ),
});

/** What the daemon is told by its configuration file, with defaults filled in. */
export type Configuration = z.output<typeof configurationSchema>;
