import { z } from 'zod';

/** As Docker's: values by name, those of one name are alternatives. */
const FiltersSchema = z.record(z.string(), z.array(z.string())).describe('Filters of the Docker Engine API by name');

const JsonFiltersSchema = z.preprocess((text, context) => {
  try {
    return typeof text === 'string' ? (JSON.parse(text) as unknown) : text;
  } catch {
    context.addIssue('filters must be JSON');
    return z.NEVER;
  }
}, FiltersSchema.default({}));

export const ImageQuerySchema = z.strictObject({
  all: z.stringbool().default(false).describe('Also untagged ones that others were built on'),
  filters: JsonFiltersSchema,
});

export const TagBodySchema = z.strictObject({ name: z.string(), reference: z.string() });

export const PruneBodySchema = z.strictObject({
  all: z.boolean().default(false).describe('Also images with names'),
  buildCache: z.boolean().default(false).describe('Also results of build steps, and cache mounts'),
  filters: FiltersSchema.default({}),
});

export const CommitBodySchema = z.strictObject({
  container: z.string(),
  reference: z.string().optional(),
  message: z.string().optional(),
  author: z.string().optional(),
  changes: z.array(z.string()).default([]).describe('Instructions of a Dockerfile, e.g. `CMD ["/bin/sh"]`'),
  pause: z.boolean().default(true),
});

export const ArchiveQuerySchema = z.strictObject({
  name: z.union([z.string(), z.array(z.string())]),
  documents: z.stringbool().default(false).describe('With provenance and bills of materials, as referrers'),
});

export const ImportQuerySchema = z.strictObject({
  reference: z.string().optional(),
  message: z.string().optional(),
  change: z.union([z.string(), z.array(z.string())]).optional(),
});

export const SbomQuerySchema = z.strictObject({
  name: z.string(),
  format: z.enum(['cyclonedx-json', 'spdx-json']).default('cyclonedx-json'),
});

export type PruneBody = z.input<typeof PruneBodySchema>;
export type CommitBody = z.input<typeof CommitBodySchema>;
