import { z } from 'zod';

/** Where a Compose project is read from: by the daemon, on the machine that both run on. */
export const ProjectSourceSchema = z
  .strictObject({
    directory: z.string().startsWith('/').describe('Absolute folder of the project; relative paths start here'),
    files: z
      .array(z.string().startsWith('/'))
      .describe('Absolute Compose files in merge order; empty: found in `directory`'),
    projectName: z.string().optional().describe('Overrides `name:` and the name of the folder'),
    profiles: z.array(z.string()).default([]),
    envFiles: z.array(z.string().startsWith('/')).default([]).describe('Instead of `.env` in `directory`'),
    environment: z
      .record(z.string(), z.string())
      .default({})
      .describe('For interpolation and for `environment:` entries without a value. Never logged'),
  })
  .describe('A Compose project on this machine');

const StrategySchema = z
  .enum(['blue-green', 'rolling', 'canary'])
  .describe('Instead of the strategy that the Compose file declares');

const ImagesSchema = z.record(z.string(), z.string().min(1)).describe('Image references by service');

export const DeployBodySchema = z.strictObject({
  source: ProjectSourceSchema,
  author: z.string().min(1),
  sourceRevision: z.string().optional().describe('For example the commit'),
  build: z.boolean().default(true).describe('false: services with `build:` use the image that exists'),
  noCache: z.boolean().default(false),
  force: z.boolean().default(false).describe('Deploy even when nothing changed'),
  strategy: StrategySchema.optional(),
  images: ImagesSchema.optional(),
});

export const RollbackBodySchema = z.strictObject({
  release: z.number().int().positive().optional().describe('Default: the one before the current'),
  author: z.string().min(1),
});

/** Its project is the one in a folder: one call, where going back is urgent. */
export const FolderRollbackBodySchema = RollbackBodySchema.extend({ source: ProjectSourceSchema });

export const DownBodySchema = z.strictObject({
  volumes: z.boolean().default(false).describe('Remove the volumes too'),
  author: z.string().min(1),
});

export const AmendBodySchema = z
  .strictObject({
    author: z.string().min(1),
    images: ImagesSchema.optional(),
    replicas: z
      .record(z.string(), z.number().int().nonnegative())
      .optional()
      .describe('Numbers of instances by service'),
    strategy: StrategySchema.optional(),
  })
  .describe('What the new release has otherwise than the current one');

export const ControlBodySchema = z.strictObject({
  author: z.string().min(1),
  action: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.enum(['pause', 'resume', 'promote', 'abort']) }),
    z.strictObject({
      kind: z.literal('weight'),
      weight: z.number().int().min(0).max(10_000).describe('Basis points for the new release, held until `resume`'),
    }),
  ]),
});

export const InstanceTrafficBodySchema = z.strictObject({
  author: z.string().min(1),
  direction: z.enum(['out', 'in']),
});

export const DiffQuerySchema = z.strictObject({
  from: z.coerce.number().int().positive(),
  to: z.coerce.number().int().positive(),
});

export const LogQuerySchema = z.strictObject({
  service: z.union([z.string(), z.array(z.string())]).optional(),
  follow: z.stringbool().default(false),
  tail: z.coerce.number().int().nonnegative().optional(),
  since: z.iso.datetime().optional(),
});

export const ExecStartSchema = z.strictObject({
  service: z.string(),
  index: z.number().int().positive().optional(),
  args: z.array(z.string()).min(1),
  env: z.record(z.string(), z.string()).optional(),
  user: z.string().optional(),
  workingDirectory: z.string().optional(),
  tty: z.boolean(),
  size: z.strictObject({ columns: z.number().int().positive(), rows: z.number().int().positive() }).optional(),
  attachStdin: z.boolean(),
});

export const BootstrapBodySchema = z.strictObject({
  reference: z.string().describe('For example `debian:bookworm`'),
  snapshot: z.string().optional().describe('Packages as they were at this time, e.g. `20261101T000000Z`'),
  mirror: z.url().optional().describe('Server of snapshots instead of the distribution’s own'),
});

export const ErrorSchema = z.object({
  error: z.object({
    code: z.string(),
    kind: z.string(),
    message: z.string().describe('What and where'),
    fix: z.string().describe('What to do'),
    details: z.record(z.string(), z.unknown()).optional(),
  }),
});

export type ProjectSourceBody = z.input<typeof ProjectSourceSchema>;
export type DeployBody = z.input<typeof DeployBodySchema>;
export type RollbackBody = z.input<typeof RollbackBodySchema>;
export type FolderRollbackBody = z.input<typeof FolderRollbackBodySchema>;
export type AmendBody = z.input<typeof AmendBodySchema>;
export type ControlBody = z.input<typeof ControlBodySchema>;
export type DownBody = z.input<typeof DownBodySchema>;
export type ExecStart = z.input<typeof ExecStartSchema>;
export type BootstrapBody = z.input<typeof BootstrapBodySchema>;
