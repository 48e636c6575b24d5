import { z } from 'zod';
import {
  amount,
  command,
  duration,
  fraction,
  headerValue,
  hostName,
  optionalDuration,
  share,
  token,
} from './settings-values.ts';

/** One of a client's marks by which it belongs to a cohort. */
const cohort = z.union(
  [
    z.strictObject({
      header: token.describe('Name of a request header.'),
      value: headerValue.optional().describe('Its value. Default: any.'),
    }),
    z.strictObject({
      cookie: token.describe('Name of a cookie.'),
      value: headerValue.optional().describe('Its value. Default: any.'),
    }),
    z.strictObject({
      address: z.union([z.string(), z.array(z.string()).min(1)]).describe('Addresses or networks of clients.'),
    }),
  ],
  { error: 'must have one of header, cookie or address (with value beside header or cookie)' },
);

const canaryStep = z
  .strictObject({
    weight: share.describe('Share of the requests that the new release gets.'),
    for: optionalDuration('How long this step lasts at least.'),
    requests: z.int().min(1).optional().describe('How many requests the new release must have answered in this step.'),
    pause: z.boolean().optional().describe('Wait here for `bascule rollout promote`.'),
  })
  .describe('A step of the canary.');

export const canarySettings = z
  .strictObject({
    steps: z
      .array(canaryStep)
      .min(1)
      .optional()
      .describe('Steps of growing weight. Default: 5% for 1m, 20% for 1m, 50% for 1m.'),
    cohorts: z
      .array(cohort)
      .default([])
      .describe('Clients that get the new release from the first step on: by header, cookie or address.'),
    on_insufficient: z
      .enum(['wait', 'promote', 'abort'])
      .default('wait')
      .describe('What happens at the end of a step when the evidence does not suffice for a verdict.'),
    max_wait: duration('How long `wait` may last in one step; then the rollout is aborted.', '1h'),
  })
  .prefault({})
  .describe('How a canary grows.');

export const rollingSettings = z
  .strictObject({
    max_unavailable: amount.optional().describe('How many instances may be missing. Default: 0 (start-first).'),
    max_surge: amount.optional().describe('How many instances may be there beyond the replicas. Default: parallelism.'),
  })
  .prefault({})
  .describe('How many instances a rolling rollout may have too few or too many.');

const threshold = {
  name: z.string().min(1).describe('How it is called in reports.'),
  interval: duration('How often it is asked.', '15s'),
  max: z.number().optional().describe('Above this the rollout is aborted.'),
  min: z.number().optional().describe('Below this the rollout is aborted.'),
  failures: z.int().min(1).default(1).describe('So many bad answers in a row abort.'),
};

export const analysisSettings = z
  .strictObject({
    enabled: z.boolean().default(true).describe('Compare the new release with the old one while both serve.'),
    alpha: z.number().gt(0).lt(1).default(0.01).describe('Chance of aborting a release that is not worse.'),
    beta: z.number().gt(0).lt(1).default(0.05).describe('Chance of passing a release that is worse by the margin.'),
    error_margin: fraction.prefault('1%').describe('How much higher its share of errors may be, and still pass.'),
    slow_margin: fraction.prefault('5%').describe('How much higher its share of slow requests may be, and still pass.'),
    metrics: z
      .array(z.enum(['errors', 'slow']))
      .default(['errors', 'slow'])
      .describe('What is compared.'),
    queries: z
      .array(
        z.strictObject({
          ...threshold,
          prometheus: z.url().describe('Base address of the Prometheus server.'),
          query: z.string().min(1).describe('In PromQL; one number as the answer.'),
        }),
      )
      .default([])
      .describe('Prometheus queries with thresholds.'),
    commands: z
      .array(
        z.strictObject({
          ...threshold,
          run: command.describe('No shell; runs as the daemon does.'),
          timeout: duration('How long it may run.', '30s'),
        }),
      )
      .default([])
      .describe(
        'Commands on this machine: exit code 0 is well; with max or min the last line of the output is a number.',
      ),
  })
  .prefault({})
  .describe('How a verdict is found.');

export const job = z
  .strictObject({
    service: z.string().min(1).describe('The service whose image, environment, networks and secrets the job has.'),
    command: command.describe('What it runs.'),
    at: z.enum(['before-start', 'before-switch', 'after-switch']).describe('When it runs.'),
    migration: z.enum(['expand', 'contract']).optional().describe('What it does to data that the old release uses.'),
    timeout: duration('How long it may take.', '1h'),
    retries: z.int().min(0).default(0).describe('How often it is tried again.'),
  })
  .describe('A one-off container of a rollout.');

/** One name, in the letters that the proxy compares. */
const previewHost = hostName
  .refine((host) => host !== '*', { error: 'must be a host name such as preview.example.org' })
  .transform((host) => host.toLowerCase().replace(/\.$/, ''));

export const preview = z
  .union([
    z.strictObject({
      header: token.describe('Name of a request header.'),
      value: headerValue.min(1).describe('Its value: a token that outsiders do not know.'),
    }),
    z.strictObject({ host: previewHost.describe('A host name of its own.') }),
  ])
  .optional()
  .describe('Requests with this header, or for this host, reach the new release before any traffic moves.');
